#!/usr/bin/env bash
# Starts PostgreSQL: makes the cluster on the first start, applies roles and passwords on every
# start, then becomes the server. Runs as uid 999 throughout and writes to PGDATA's volume, /tmp and
# /var/run/postgresql only. `postgres-entrypoint postgres [-c name=value ...]`
set -Eeuo pipefail

say() { echo "postgres: $*"; }

# die WHAT-HAPPENED WHAT-TO-DO
die() {
  printf 'postgres: error: %s\n' "$@" >&2
  exit 1
}

is_external() { [[ ${POSTGRES_EXTERNAL:-false} == true ]]; }

# What is not set in the environment. Secrets default to the files that the stack generates.
default_settings() {
  : "${PGDATA:=/var/lib/postgresql/data/pgdata}"
  : "${POSTGRES_CONFIG_DIR:=/etc/litellm-postgres}"
  : "${GATEWAY_DB_USER:=gateway}"
  : "${GATEWAY_DB_NAME:=litellm}"
  [[ -n ${POSTGRES_PASSWORD:-} ]] || : "${POSTGRES_PASSWORD_FILE:=/run/postgres-secrets/postgres_password}"
  [[ -n ${GATEWAY_DB_PASSWORD:-} ]] || : "${GATEWAY_DB_PASSWORD_FILE:=/run/postgres-secrets/gateway_db_password}"
}

# file_env VAR: sets VAR from the file named in VAR_FILE, less one trailing newline. An empty VAR or
# VAR_FILE counts as unset; both are fine as long as they agree.
file_env() {
  local var=$1 file_var=$1_FILE content=''
  local value=${!var:-} file=${!file_var:-}

  if [[ -n $file ]]; then
    [[ -r $file ]] || die "cannot read $file, which $file_var names, as uid $(id -u) in groups $(id -G)" \
      "set $file_var to a file that this user may read, or set $var"
    IFS= read -r -d '' content <"$file" || true # read fails at the end of a file without a NUL
    content=${content%$'\n'}
  fi
  if [[ -n $value && -n $content && $value != "$content" ]]; then
    die "$var and $file_var are both set, to different values" "unset one of them"
  fi
  value=${value:-$content}
  [[ -n $value ]] || die "no value for $var${file:+ ($file is empty)}" \
    "set $var, or $file_var to the path of a file that holds it"
  printf -v "$var" '%s' "$value"
}

# The environment makes sense: names that cannot clash with what every cluster has.
verify_settings() {
  [[ $GATEWAY_DB_USER != postgres && $GATEWAY_DB_USER != pg_* ]] ||
    die "GATEWAY_DB_USER is '$GATEWAY_DB_USER', a role that PostgreSQL owns" \
      "set GATEWAY_DB_USER to a name of its own, for example gateway"
  case $GATEWAY_DB_NAME in
    postgres | template0 | template1)
      die "GATEWAY_DB_NAME is '$GATEWAY_DB_NAME', a database that PostgreSQL owns" \
        "set GATEWAY_DB_NAME to a name of its own, for example litellm"
      ;;
  esac
}

# The volume can be used: ours to write, and either empty or a cluster of this major version.
verify_volume() {
  local volume found server
  volume=$(dirname "$PGDATA")
  [[ -w $volume && -x $volume ]] || die "cannot write to $volume as uid $(id -u)" \
    "make the volume's owner $(id -u):$(id -g), for example: chown $(id -u):$(id -g) THE-HOST-FOLDER"
  if [[ -e $volume/PG_VERSION ]]; then
    die "$volume is itself a cluster, made by another image; this one looks in $PGDATA" \
      "set PGDATA=$volume to take it over, or use another volume"
  fi
  if [[ ! -e $PGDATA ]]; then return; fi

  [[ -s $PGDATA/PG_VERSION ]] || die "$PGDATA exists, but holds no PostgreSQL cluster" \
    "remove it if nothing in it is needed, or set PGDATA to the cluster's folder"
  found=$(<"$PGDATA/PG_VERSION")
  server=$(server_major)
  [[ $found == "$server" ]] || die \
    "the volume holds a PostgreSQL $found cluster, this image runs PostgreSQL $server" \
    "dump it with a PostgreSQL $found image, then restore into a new volume: see postgres/README.md, other major version"
}

# "postgres (PostgreSQL) 17.12 (Debian 17.12-1)" -> 17
server_major() {
  local version
  version=$(postgres --version)
  version=${version#* (PostgreSQL) }
  echo "${version%%[!0-9]*}"
}

# Made next to PGDATA and renamed when complete: a crash leaves a folder that the next start throws
# away, never one that looks finished.
create_cluster() {
  local new=$PGDATA.initializing
  if [[ -e $new ]]; then
    say "removing what an interrupted first start left behind"
    rm -rf "$new"
  fi
  say "first start: creating a PostgreSQL $(server_major) cluster with data checksums"
  # The password by a file descriptor, as argv can be read by everyone.
  initdb --pgdata="$new" --username=postgres --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
    --data-checksums --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=scram-sha-256 --auth-host=scram-sha-256 >/tmp/initdb.log 2>&1 ||
    die "initdb failed: $(tail -n 5 /tmp/initdb.log)" \
      "check that the volume has free space and is a local disk, then start again"
  say "first start: creating role $GATEWAY_DB_USER and database $GATEWAY_DB_NAME"
  apply_roles "$new"
  sync
  mv "$new" "$PGDATA"
  say "first start: done"
}

# apply_roles CLUSTER: runs roles.sql in a server that nobody else can reach: no TCP, its socket in
# a folder of ours, logins by operating system user (the stored password may be the old one).
apply_roles() {
  local cluster=$1 options failed=
  private=$(mktemp -d /tmp/postgres-setup.XXXXXX)
  echo 'local all postgres peer' >"$private/pg_hba.conf"
  # Not in a subshell: the server takes its grandparent, us, for the one whose lock file (PID 1) a
  # killed container left behind, and so knows that it is stale.
  trap 'stop_private_server "$cluster"; exit 130' INT TERM
  options="-c config_file=$POSTGRES_CONFIG_DIR/postgresql.conf -c hba_file=$private/pg_hba.conf"
  options+=" -c listen_addresses='' -c unix_socket_directories=$private -c autovacuum=off"
  pg_ctl start --pgdata="$cluster" --wait --timeout=600 --silent --log="$private/log" \
    --options="$options" || die "the server does not start on $cluster: $(tail -n 5 "$private/log")" \
    "free disk space or restore a backup, as that says: see postgres/README.md"
  POSTGRES_PASSWORD=$POSTGRES_PASSWORD GATEWAY_DB_PASSWORD=$GATEWAY_DB_PASSWORD \
    GATEWAY_DB_USER=$GATEWAY_DB_USER GATEWAY_DB_NAME=$GATEWAY_DB_NAME \
    psql --no-psqlrc --quiet --no-password --tuples-only --output=/dev/null --host="$private" \
    --username=postgres --dbname=postgres --file="$POSTGRES_CONFIG_DIR/roles.sql" || failed=yes
  stop_private_server "$cluster"
  trap 'exit 130' INT TERM
  [[ -z $failed ]] || die "the roles could not be applied" \
    "correct what psql says above: a name in GATEWAY_DB_USER or GATEWAY_DB_NAME, or the cluster itself"
}

stop_private_server() {
  pg_ctl stop --pgdata="$1" --mode=fast --wait --silent || true
  rm -rf "$private"
}

# Somebody else's database is used: stay up, so that what depends on this service can start.
# Not `exec sleep`: as PID 1 it would ignore every stop signal.
idle() {
  trap 'exit 0' INT TERM
  say "POSTGRES_EXTERNAL=true: the gateway uses another database, this service does nothing"
  sleep infinity &
  wait $!
}

_main() {
  [[ ${1:-} == postgres ]] || exec "$@"
  if is_external; then
    idle
    return
  fi
  trap 'exit 130' INT TERM # as PID 1 we would ignore both without a trap
  default_settings
  file_env POSTGRES_PASSWORD
  file_env GATEWAY_DB_PASSWORD
  verify_settings
  verify_volume

  if [[ -e $PGDATA ]]; then
    apply_roles "$PGDATA"
  else
    create_cluster
  fi

  unset POSTGRES_PASSWORD GATEWAY_DB_PASSWORD # the server has no use for them
  say "starting PostgreSQL $(server_major)"
  exec "$@" -D "$PGDATA" -c config_file="$POSTGRES_CONFIG_DIR/postgresql.conf" \
    -c hba_file="$POSTGRES_CONFIG_DIR/pg_hba.conf"
}

# Run, not sourced (health.sh and the tests take the functions alone).
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  _main "$@"
fi
