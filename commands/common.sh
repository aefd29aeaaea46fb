# shellcheck shell=bash
# What the commands share: questions to the running stack, asked through compose.

_engine_required() {
  engine_path
  engine_answers || die "no container engine answers" "start it, or let './run up' prepare one"
}

_project() { docker compose config | sed -nE 's/^name: (.*)$/\1/p'; }

# _gateway ARGS...: the gateway's own command line, inside its running container.
_gateway() {
  local piped=
  _engine_required
  [ -n "$(docker compose ps --quiet --status running gateway 2>/dev/null)" ] ||
    die "the gateway is not running" "start the stack with './run up'"
  { [ -t 0 ] && [ -t 1 ]; } || piped=yes
  docker compose exec ${piped:+"--no-TTY"} gateway gateway "$@"
}

# _state SERVICE: its health while it runs, else its state.
_state() {
  local state
  state=$(docker compose ps --all --format '{{if eq .State "running"}}{{.Health}}{{else}}{{.State}}{{end}}' "$1" 2>/dev/null)
  printf '%s\n' "${state:-not running}"
}

# _published SERVICE PORT: the address on this machine, e.g. 127.0.0.1:4000.
_published() { docker compose port "$1" "$2" 2>/dev/null; }

_url() {
  local address
  address=$(_published "$1" "$2") || true
  printf '%s\n' "${address:+http://$address}"
}
