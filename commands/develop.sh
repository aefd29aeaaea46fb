# shellcheck shell=bash
# The commands for those who work on the project: tests, benchmarks, generated documents.

# test [--long] [PART|FILE...] [-- OPTIONS] — run the linters and the tests, on a stack of their own
# Parts: lint, unit, node, stack, swarm, faults, browser; all of them by default. A file: tests/stack/test_keys.py
# --long repeats short tests more often: 52 kills, 20 rounds of each fault, 20 fresh volumes, 3,000
# requests to compare; and upgrades a stack of the real 0.1, which takes 12 minutes. OPTIONS are pytest's.
# TEST_PROJECT names the compose project of a running stack to use instead of a new one.
test() { _in_test_image tests/run "$@"; }

# bench [NAME] [OPTIONS] — compare with the alternatives: overhead, memory, start, …; without a NAME, all of them
# `./run bench --help` lists the benchmarks with how long each takes. A table is printed, JSON and a chart are kept in
# artefacts/bench; --compare FILE says what changed since another run's JSON.
bench() { COMPOSE_PROFILES=observability _in_test_image env PYTHONPATH=tests python -m bench "$@"; }

# dev — run the gateway from this checkout in the running stack, and restart it at every save; ctrl-c ends it
# Only gateway/gateway is taken from the checkout. A new dependency or another service's code needs './run up'.
# At the end the gateway runs from its image again. Needs a stack that is up.
dev() {
  local files
  _engine_required
  [ -n "$(docker compose ps --quiet --status running gateway 2>/dev/null)" ] ||
    die "the gateway is not running" "start the stack with './run up'"
  files=docker-compose.yml
  [ ! -f docker-compose.override.yml ] || files+=:docker-compose.override.yml
  files=$(_env_or_shell COMPOSE_FILE "$files")
  trap _dev_end EXIT
  trap 'exit 0' INT TERM HUP
  COMPOSE_FILE=$files:docker-compose.dev.yml _dev_recreate
  say "the gateway runs from gateway/gateway; save a file to restart it, ctrl-c to end"
  _dev_watch
}

# _dev_recreate: the gateway's container alone, from the compose files in use.
_dev_recreate() { docker compose --progress quiet up --detach --no-build --no-deps --timeout 5 gateway; }

_dev_end() {
  trap '' INT TERM HUP
  say "the gateway runs from its image again"
  _dev_recreate
}

# _dev_watch: restarts the gateway whenever its code differs from a second ago, and says how it went.
_dev_watch() {
  local before now
  before=$(_dev_state)
  while sleep 1; do
    now=$(_dev_state)
    [ "$now" != "$before" ] || continue
    before=$now
    docker compose --progress quiet restart --no-deps --timeout 5 gateway
    _dev_wait
  done
}

# _dev_state: a checksum of the gateway's code.
_dev_state() { find gateway/gateway -name '*.py' -exec cksum {} + | cksum; }

# _dev_wait: until the gateway is healthy, or has failed, at most 30 s; then its log says why.
_dev_wait() {
  local state deadline=$((SECONDS + 30))
  while [ "$SECONDS" -lt "$deadline" ]; do
    state=$(_state gateway)
    case $state in
      healthy)
        say "restarted"
        return
        ;;
      restarting | exited | dead) break ;;
    esac
    sleep 0.5
  done
  _last_lines 20 gateway >&2
  say "the gateway is $state: fix what the lines above say and save again"
}

# lock [VERSION] — lock the dependencies of every image; with a VERSION of LiteLLM, move to it
# Use it after a change in a pyproject.toml. With a VERSION it also regenerates the reference and runs all tests:
# docs/litellm-versions.md says what they prove, and what you have to read yourself.
lock() {
  # shellcheck disable=SC2016 # the image's shell expands it
  _in_test_image bash -c '
    set -e
    [ -z "$1" ] || sed -i "s/\"litellm\[proxy\]==[^\"]*\"/\"litellm[proxy]==$1\"/" gateway/pyproject.toml
    pip=(/usr/local/bin/pip --quiet install --root-user-action ignore --target /tmp/uv)
    "${pip[@]}" --require-hashes --requirement tests/build-requirements.txt
    PATH=/tmp/uv/bin:$PATH python tests/lock.py
    git diff --stat -- gateway/pyproject.toml "*requirements.txt"' lock "${1:-}"
  [ $# -gt 0 ] || return 0
  docs
  _in_test_image tests/run
}

# docs — regenerate the pages of docs/reference
docs() { _in_test_image python docs/generate.py; }

# transcript — regenerate docs/first-ten-minutes.md: the first commands in a fresh clone, timed
# It clones the last commit and uses its own project name and ports, all removed at the end. On a machine without
# engine and images it takes as long as a newcomer waits. Needs Python 3.10 and git on the host.
transcript() {
  have python3 || die "there is no python3" "install Python 3.10 or newer"
  python3 docs/first_ten_minutes.py
}

TESTS_IMAGE="litellm-proxy-service/tests:${STACK_VERSION:-0.1.0}"

# _in_test_image COMMAND...: one image has everything that the tests need. From there they drive the engine as
# a user does, at the checkout's own path, so that bind mounts resolve.
_in_test_image() {
  local socket terminal=
  engine_ensure
  build_images
  step build-upstream "building the scripted upstream" "the log names the failing line of its Dockerfile" \
    compose_build scripted-upstream
  step build-tests "building the test image" "the log names the failing line of tests/Dockerfile" \
    docker build --tag "$TESTS_IMAGE" --file tests/Dockerfile .
  socket=$(docker context inspect --format '{{.Endpoints.docker.Host}}')
  [ ! -t 1 ] || terminal=yes
  docker run --rm --init --network host ${terminal:+"--tty"} --env STACK_VERSION --env TEST_PROJECT \
    --env KILL_SEED --env SAME_ANSWERS_SEED \
    --volume "${socket#unix://}:/var/run/docker.sock" --volume "$PWD:$PWD" --workdir "$PWD" \
    "$TESTS_IMAGE" "$@"
}
