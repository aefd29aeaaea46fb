#!/usr/bin/env bash
# Makes a role that reads the report views and nothing else, and prints its URL, once; run again it
# gives a new password. `postgres-report-role NAME [--drop]`
set -Eeuo pipefail

# shellcheck source=postgres/entrypoint.sh
. "$(command -v postgres-entrypoint)"

_report_role() {
  local name=${1:-} password
  is_external && die "the gateway uses another database, whose admin makes its roles" \
    "grant there: USAGE on schema gateway_reports, SELECT on all tables in it"
  [[ $name =~ ^[a-z][a-z0-9_]{0,62}$ && $name != pg_* && $name != postgres ]] ||
    die "'$name' cannot be the name of a role" "take small letters, digits and _, a letter first"
  default_settings
  file_env POSTGRES_PASSWORD
  [[ $name != "$GATEWAY_DB_USER" ]] || die "'$name' is the gateway's own role" "take another name"
  export PGPASSWORD=$POSTGRES_PASSWORD GATEWAY_DB_USER ROLE_NAME=$name
  if [[ ${2:-} == --drop ]]; then
    _sql report-role-drop.sql || die "the role '$name' was not dropped" "psql says why, above"
    say "dropped the role $name"
    return
  fi
  password=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
  ROLE_PASSWORD=$password _sql report-role.sql ||
    die "the role '$name' was not made" "psql says why, above; if a schema is missing: ./run up"
  printf 'postgresql://%s:%s@127.0.0.1:5432/%s\n' "$name" "$password" "$GATEWAY_DB_NAME"
  say "the password is shown this once; the port is published by docker-compose.publish.yml" >&2
}

_sql() {
  psql --no-psqlrc --quiet --no-password --tuples-only --output=/dev/null --username=postgres \
    --dbname="$GATEWAY_DB_NAME" --single-transaction --file="$POSTGRES_CONFIG_DIR/$1"
}

_report_role "$@"
