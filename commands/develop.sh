# shellcheck shell=bash
# The commands for those who work on the project: tests, benchmarks, generated documents.

# test [--long] [PART|FILE...] [-- PYTEST OPTIONS] — run the linters and the tests, on a stack of their own
# Parts: lint, unit, node, stack, faults, browser; all of them by default. A file: tests/stack/test_keys.py
# --long: repeats more often what is short otherwise: 52 kills, 20 rounds of each fault, 20 fresh volumes, 3,000
# requests to compare.
test() { _in_test_image tests/run "$@"; }

# bench NAME — measure: start (time to the first answer, memory, image sizes), failover, journal, retention, outage
# failover, journal: what each adds to an answer. retention [ROWS]: the deletion of 5 million rows under load, half an
# hour. outage [MINUTES]: an hour without Postgres under load, and whether every cost arrived.
bench() {
  [ -f "tests/bench/${1:-}.py" ] || die "there is no benchmark '${1:-}'" "./run help lists them"
  _in_test_image python "tests/bench/$1.py" "${@:2}"
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
  docker run --rm --init --network host ${terminal:+"--tty"} --env STACK_VERSION \
    --volume "${socket#unix://}:/var/run/docker.sock" --volume "$PWD:$PWD" --workdir "$PWD" \
    "$TESTS_IMAGE" "$@"
}
