# shellcheck shell=bash
# The commands that the gateway or the backend answers, inside its running container.

# key [--master | COMMAND] — what a person needs to call the API; keys for people and programs
#   create NAME --budget USD [--duration 30d] [--models A,B] [--rpm N] [--tpm N] [--expires 30d]
#   list | block NAME | unblock NAME | delete NAME | rotate NAME
# Each takes --json and --help. A secret is shown once, by create and rotate.
key() { _gateway key --base-url "http://$(_published litellm 4000)" "$@"; }

# spend [--json] [--days N] — what the requests cost, by day, model and key
spend() { _gateway spend "$@"; }

# models gate MODEL [--json] — run the German golden set through a model: precision, recall, valid JSON
models() {
  local piped=
  [ "${1:-}" = gate ] || die "models knows 'gate' only" "./run models gate extraction-model"
  shift
  _engine_required
  [ -t 1 ] || piped=yes
  docker compose exec ${piped:+"--no-TTY"} backend-stub python -m backend_stub.golden "$@"
}

# check — check .env and litellm_config.yaml without starting anything
check() {
  _engine_required
  docker compose run --rm --no-deps --quiet-pull -T litellm check "$@"
}
