#!/usr/bin/env bash
# Healthy (exit 0) when the gateway's role can log in over TCP and gets an answer to a query;
# otherwise exit 1 and one line that says what failed.
#
# TCP and not the socket: the server that sets up a new volume listens on a socket alone, so a
# check by socket is green too early (pg_isready without -h). A login and not only pg_isready: a
# server that accepts connections but refuses the role is of no use to anybody.
set -Eeuo pipefail

entrypoint="${BASH_SOURCE[0]%/*}/postgres-entrypoint"
[[ -e $entrypoint ]] || entrypoint="${BASH_SOURCE[0]%/*}/entrypoint.sh"
# shellcheck source=postgres/entrypoint.sh
source "$entrypoint"

_main() {
  if is_external; then
    echo "healthy: POSTGRES_EXTERNAL=true, the gateway uses another database"
    return
  fi
  default_settings
  file_env GATEWAY_DB_PASSWORD

  local port=${PGPORT:-5432} reason
  # Each step has a limit of its own: a stopped or thrashing server must turn the check red, not
  # hang it.
  if ! reason=$(wait_until_ready "$port" 2>&1); then
    echo "unhealthy: ${reason:-no answer within 3 s}" >&2
    return 1
  fi
  if ! reason=$(query_as_gateway "$port" 2>&1); then
    echo "unhealthy: role $GATEWAY_DB_USER cannot query $GATEWAY_DB_NAME: ${reason:-no answer within 4 s}" >&2
    return 1
  fi
  echo healthy
}

# A server that starts is found ready at once, by one process and not by one each second.
wait_until_ready() {
  local end=$((SECONDS + 2)) said
  until said=$(timeout 3 pg_isready -h 127.0.0.1 -p "$1" -t 2 2>&1); do
    if ((SECONDS >= end)); then
      echo "$said"
      return 1
    fi
    sleep 0.05
  done
}

# The password goes through the environment of psql alone: argv is readable by everyone, that isn't.
query_as_gateway() {
  PGPASSWORD=$GATEWAY_DB_PASSWORD PGCONNECT_TIMEOUT=3 timeout 4 \
    psql --no-psqlrc --no-password --quiet --tuples-only --no-align \
    --host=127.0.0.1 --port="$1" --username="$GATEWAY_DB_USER" --dbname="$GATEWAY_DB_NAME" \
    --command='SELECT 1' >/dev/null
}

_main "$@"
