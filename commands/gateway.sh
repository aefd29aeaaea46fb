# shellcheck shell=bash
# The commands that the gateway or the backend answers, inside its running container.

# key [--master | COMMAND] — what a person needs to call the API; keys for people and programs
#   create NAME --budget USD [--duration 30d] [--models A,B] [--rpm N] [--tpm N] [--expires 30d]
#   list | block NAME | unblock NAME | delete NAME | rotate NAME
# Each takes --json and --help. A secret is shown once, by create and rotate.
key() { _gateway key --base-url "http://$(_published litellm 4000)" "$@"; }

# spend [--json] [--days N] — what the requests cost, by day, model and key
spend() { _gateway spend "$@"; }

# ask QUESTION [--model ALIAS] — ask a model: its answer, then tokens, cost, seconds and who answered
# The question may come from a pipe, or from stdin for `-`. Without --model: explanation-model.
ask() { _gateway ask "$@"; }

# models [--json] [--probe] — every model: price, context, key, reachable, in use, fallback of whom
#   --probe also makes one paid call of one token to each; it says before what they cost at most.
# models gate MODEL [--json] — run the German golden set through a model: precision, recall, valid JSON
# The result of a whole run is kept; ./run status says it.
models() {
  local piped=
  if [ "${1:-}" != gate ]; then
    _gateway models "$@"
    return
  fi
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
