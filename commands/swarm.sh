# shellcheck shell=bash
# The command for Docker Swarm. gateway/gateway/swarm converts what compose has read; docs/scaling.md says what is
# different there.

SWARM_OVERLAY=docker-compose.swarm.yml

# swarm render — print the stack as a file for Docker Swarm, from docker-compose.yml and .env
# The file goes to standard output, the list of swarm secrets that it needs to standard error. Nothing is started, and
# no key is in the file. SWARM_PORT is the port that each node with gateways publishes. docs/scaling.md has the rest.
swarm() {
  case ${1:-} in
    render) _swarm_render ;;
    *) die "swarm does not know '${1:-}'" "./run swarm --help" ;;
  esac
}

# _swarm_compose ARGS...: compose with the file for a swarm, then the user's own.
_swarm_compose() {
  local files=docker-compose.yml own
  [ ! -f docker-compose.override.yml ] || files+=:docker-compose.override.yml
  files=$(_env_or_shell COMPOSE_FILE "$files"):$SWARM_OVERLAY
  own=$(_env_or_shell SWARM_OVERRIDE '')
  COMPOSE_FILE=$files${own:+:$own} docker compose "$@"
}

# _swarm_convert VERB ARGS...: the converter in the gateway's image, told what compose read and each mounted file's
# checksum.
_swarm_convert() {
  local image="litellm-proxy-service/gateway:${STACK_VERSION:-0.1.0}" configuration
  image_present "$image" || die "there is no image $image" "./run up builds it"
  configuration=$(_swarm_compose config --format json) || die "compose cannot read its files" "the lines above say why"
  {
    printf '{"compose": %s, "checksums": {' "$configuration"
    _swarm_checksums "$configuration"
    printf '}}\n'
  } | docker run --rm --interactive --network none --read-only --tmpfs /tmp --cap-drop ALL \
    --security-opt no-new-privileges "$image" swarm "$@"
}

# _swarm_checksums CONFIGURATION: "path": "checksum" of each file that a service mounts.
_swarm_checksums() {
  local path separator=''
  printf '%s\n' "$1" | sed -nE 's/^ *"source": "(\/.*)",?$/\1/p' | sort -u | while read -r path; do
    [ -f "$path" ] || continue
    printf '%s"%s": "%s"' "$separator" "$path" "$(cksum <"$path" | tr ' ' '-')"
    separator=', '
  done
}

_swarm_render() {
  _engine_required
  _swarm_convert render
}
