# shellcheck shell=bash
# The commands for who works on the project: tests and benchmarks.

# test [--long] [PART|FILE...] [-- PYTEST OPTIONS] — lint and tests, on a stack of their own
# Parts: lint, unit, node, stack, faults, browser; all of them when none is named. A file: tests/stack/test_keys.py
# --long: repeats what is short else: 52 kills, 20 rounds of each fault, 20 fresh volumes, 3,000 requests to compare.
test() { _in_test_image tests/run "$@"; }

# bench NAME — measure: start (time to the first answer, memory, image sizes), failover, journal, retention, outage
# failover, journal: what they add to an answer. retention [ROWS]: the deletion of 5 million rows under load, half an hour.
# outage [MINUTES]: an hour without Postgres under load, and what became of each cost.
bench() {
  [ -f "tests/bench/${1:-}.py" ] || die "there is no benchmark '${1:-}'" "./run help lists them"
  _in_test_image python "tests/bench/$1.py" "${@:2}"
}

# docs — write the generated pages of docs/reference anew
docs() { _in_test_image python docs/generate.py; }

# transcript — write docs/first-ten-minutes.md anew: the README's commands in a fresh clone, timed
# Of the last commit, under a project name and on ports of its own, which are removed again. On a machine without
# engine and images it takes as long as a newcomer waits. Needs Python 3.10 and git on the host.
transcript() {
  have python3 || die "there is no python3" "install Python 3.10 or newer"
  python3 docs/first_ten_minutes.py
}

TESTS_IMAGE="litellm-proxy-service/tests:${STACK_VERSION:-0.1.0}"

# _in_test_image COMMAND...: everything that tests need is in one image; they drive the engine from
# there as a user does, at the checkout's own path, so that bind mounts resolve.
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
  docker run --rm --init --network host ${terminal:+"--tty"} --env STACK_VERSION \
    --volume "${socket#unix://}:/var/run/docker.sock" --volume "$PWD:$PWD" --workdir "$PWD" \
    "$TESTS_IMAGE" "$@"
}
