# shellcheck shell=bash
# What the commands share: questions to the running stack, asked through compose.

_engine_required() {
  engine_path
  engine_answers || die "no container engine answers" "start it, or let './run up' prepare one"
}

_project() { docker compose config | sed -nE 's/^name: (.*)$/\1/p'; }

# _gateway ARGS...: the gateway's own command line, inside its running container.
_gateway() {
  local container terminal=
  _engine_required
  container=$(docker compose ps --quiet --status running gateway 2>/dev/null | head -n 1)
  [ -n "$container" ] || container=$(_swarm_gateway)
  [ -n "$container" ] ||
    die "the gateway is not running" "start the stack with './run up'; on a swarm, run this where a gateway runs"
  ! { [ -t 0 ] && [ -t 1 ]; } || terminal=yes
  docker exec --interactive ${terminal:+"--tty"} "$container" gateway "$@"
}

# _gateway_address: where the gateway is reached from outside its container; on a swarm by the edge of this node.
_gateway_address() {
  _published gateway 4000 ||
    printf '%s:%s\n' "$(docker info --format '{{.Swarm.NodeAddr}}')" "$(_env_or_shell SWARM_PORT '')"
}

STATE_FORMAT='{{if eq .State "running"}}{{.Health}}{{else}}{{.State}}{{end}}'

# LISTED: what _list said of all services, for who asks about each of them. A question to compose costs 0.2 s of a core.
LISTED=''
_list() { echo "SERVICE|STATE|ID|PORTS" && docker compose ps --all --format "{{.Service}}|$STATE_FORMAT|{{.ID}}|{{.Ports}}" 2>/dev/null; }

# _listed SERVICE FIELD: of each of its containers.
_listed() { printf '%s\n' "$LISTED" | awk -F '|' -v service="$1" -v field="$2" '$1 == service { print $field }'; }

# _state SERVICE: its health while it runs, else its state.
_state() {
  local state
  if [ -n "$LISTED" ]; then state=$(_listed "$1" 2); else state=$(docker compose ps --all --format "$STATE_FORMAT" "$1" 2>/dev/null); fi
  printf '%s\n' "${state:-not running}"
}

# _container SERVICE: its id; one of them, when it is scaled.
_container() {
  if [ -n "$LISTED" ]; then _listed "$1" 3; else docker compose ps --all --quiet "$1" 2>/dev/null; fi | sed -n 1p
}

# _published SERVICE PORT: the address on this machine, e.g. 127.0.0.1:4000.
_published() {
  if [ -n "$LISTED" ]; then
    _listed "$1" 4 | tr -d ' ' | tr , '\n' | sed -n "s|->$2/tcp\$||p" | sed -n 1p
  else
    docker compose port "$1" "$2" 2>/dev/null
  fi
}

_url() {
  local address
  address=$(_published "$1" "$2") || true
  printf '%s\n' "${address:+http://$address}"
}
