# shellcheck shell=bash
# The commands for Docker Swarm: this file calls docker, and gateway/gateway/swarm, in the gateway's image, decides what to
# do. docs/scaling.md says what is different on a swarm.

SWARM_OVERLAY=docker-compose.swarm.yml
STACK_LABEL=com.docker.stack.namespace

# swarm COMMAND [OPTIONS] — run the stack on a Docker Swarm: render, up, status, update, down
#   up [--dry-run]    deploy on the swarm that this engine manages; --dry-run only says what would run where
#   status            the services' tasks, nodes, last updates and errors; exit code 1 unless all tasks run
#   update            deploy what has changed, one task after another; if that fails, everything is rolled back and
#                     the exit code is 1
#   down              remove the services and their secrets; the volumes, with keys and data, stay
#   render            print the stack file, to deploy it with your own pipeline
# SWARM_PORT is the port that each node with a gateway publishes; nodes are chosen by labels. See docs/scaling.md.
swarm() {
  local verb=${1:-} dry='' project
  [ $# -eq 0 ] || shift
  case $verb in
    render | up | status | update | down) ;;
    *) die "swarm does not know '$verb'" "./run swarm --help" ;;
  esac
  case "$verb ${1:-}" in
    *" -h" | *" --help") _help_of swarm && return ;;
    "up --dry-run") dry=yes && shift ;;
  esac
  [ $# -eq 0 ] || die "swarm $verb does not know '$1'" "./run swarm --help"
  _engine_required
  project=$(_project)
  [ "$verb" = render ] || _swarm_required
  "_swarm_$verb"
}

_swarm_render() { _swarm_settings | _swarm_python render; }

_swarm_up() {
  local deployed
  if [ -n "$dry" ]; then
    say "would deploy to the swarm as stack $project: service, nodes, image"
    _swarm_settings | _swarm_python plan --dry-run
    return
  fi
  deployed=$(_swarm_services)
  _swarm_alone
  _swarm_images
  if _swarm_deploy; then return; fi
  [ -z "$deployed" ] || _swarm_roll_back
  die "the stack did not start" "the lines above say why, docker service logs ${project}_SERVICE says more"
}

_swarm_update() {
  [ -n "$(_swarm_services)" ] || die "stack $project is not deployed" "./run swarm up"
  _swarm_up
}

_swarm_status() {
  [ -n "$(_swarm_services)" ] || die "stack $project is not deployed" "./run swarm up"
  _swarm_snapshot | _swarm_python status
}

# _swarm_down: removes what carries the stack's label: services, networks, configs, secrets.
_swarm_down() {
  local deadline=$((SECONDS + 120))
  if [ -z "$(_swarm_services)" ]; then
    say "stack $project is not deployed"
    return
  fi
  docker stack rm "$project" >&2
  say "waiting until nothing of it runs on this node"
  while [ -n "$(_swarm_leftovers)" ]; do
    [ "$SECONDS" -lt "$deadline" ] || die "it still runs after 120 s" "docker ps --filter label=$STACK_LABEL=$project"
    sleep 0.5
  done
  docker compose --progress quiet down # the networks that compose made for the container that made the keys
  say "stopped; the volumes stay, with keys and data"
}

_swarm_leftovers() {
  docker ps --quiet --filter "label=$STACK_LABEL=$project"
  docker network ls --quiet --filter "label=$STACK_LABEL=$project"
}

# _swarm_required: an engine that manages a swarm.
_swarm_required() {
  case $(docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}') in
    "active true") ;;
    "active false") die "this engine is a worker of its swarm" "run this on a manager" ;;
    *) die "this engine is in no swarm" "'docker swarm init' makes a new one, 'docker swarm join' adds it to another" ;;
  esac
}

# _swarm_alone: two PostgreSQL servers on one volume would destroy the data; new keys would not fit the old data.
_swarm_alone() {
  [ -z "$(docker compose ps --quiet)" ] ||
    die "the stack runs on this machine by compose, on the same volumes" "./run down, then this again"
  [ -z "$deployed" ] || docker volume inspect "${project}_gateway-secrets" >/dev/null 2>&1 ||
    die "this machine has no keys of stack $project, and new ones would not fit its data" \
      "run this on the manager that has volume ${project}_gateway-secrets"
}

# _swarm_compose ARGS...: compose with the file for a swarm, then the user's own.
_swarm_compose() {
  local files=docker-compose.yml own
  [ ! -f docker-compose.override.yml ] || files+=:docker-compose.override.yml
  files=$(_env_or_shell COMPOSE_FILE "$files"):$SWARM_OVERLAY
  own=$(_env_or_shell SWARM_OVERRIDE '')
  COMPOSE_FILE=$files${own:+:$own} docker compose "$@"
}

# _swarm_python ARGS...: the gateway's own command, with keys in its input and output, of which no log is kept.
_swarm_python() {
  local image="litellm-proxy-service/gateway:${STACK_VERSION:-0.1.0}"
  image_present "$image" || die "there is no image $image" "./run up builds it"
  docker run --rm --interactive --network none --log-driver none --read-only --tmpfs /tmp --cap-drop ALL \
    --security-opt no-new-privileges "$image" swarm "$@"
}

# _swarm_settings [keys]: what `gateway swarm` converts, as records; with the generated keys if asked for.
_swarm_settings() {
  local configuration path
  configuration=$(_swarm_compose config --format json) || return
  _fact compose printf '%s' "$configuration"
  printf '%s\n' "$configuration" | sed -nE 's/^ *"source": "(\/.*)",?$/\1/p' | sort -u | while read -r path; do
    [ ! -f "$path" ] || _fact "checksum:$path" _swarm_checksum "$path"
  done
  _fact nodes _swarm_nodes
  [ $# -eq 0 ] || _swarm_keys || return
  printf 'end\0\0'
}

_swarm_checksum() { printf '%s' "$(cksum <"$1" | tr ' ' '-')"; }

# shellcheck disable=SC2046 # one word per node
_swarm_nodes() { docker node inspect --format '{{json .}}' $(docker node ls --quiet); }

# _swarm_keys: generates what is missing of the keys, as compose does, and prints them as records.
_swarm_keys() {
  # shellcheck disable=SC2016 # for the shell in the container
  docker compose --progress quiet run --rm --no-deps --no-TTY --quiet-pull --entrypoint sh secrets -c \
    'gateway secrets >/dev/null && for file in /secrets/*/*; do
      printf "value:%s\0" "${file##*/}" && cat "$file" && printf "\0" || exit
    done' </dev/null
}

# _swarm_images: builds what is missing on this machine, and takes it to the registry if there is one.
_swarm_images() {
  local image images registry
  registry=$(_env_or_shell SWARM_REGISTRY '')
  images=$(_swarm_compose config --images | grep '^litellm-proxy-service/' | sort -u)
  [ -n "$(docker node ls --quiet --filter node.label=litellm.ollama=true)" ] || images=$(grep -v /ollama: <<<"$images")
  for image in $images; do
    image_present "$image" || {
      build_images
      step build-edge "building the edge's image" "the log names the failing line of edge/Dockerfile" \
        _swarm_compose build edge
      break
    }
  done
  if [ -z "$registry" ]; then
    [ "$(docker node ls --quiet | grep -c .)" = 1 ] ||
      say "without SWARM_REGISTRY each node must have the images: docker save IMAGE | ssh NODE docker load"
    return
  fi
  for image in $images; do
    docker tag "$image" "$registry/$image"
    step push "taking ${image##*/} to $registry" "log in to it: docker login $registry" \
      docker push --quiet "$registry/$image"
  done
}

# _swarm_deploy: does what the plan says, in its order: keys, the database and its migration, then all else.
_swarm_deploy() {
  local name value whole=''
  while IFS= read -r -d '' name <&3 && IFS= read -r -d '' value <&3; do
    case $name in
      secret:*) _swarm_secret "${name#secret:}" "$value" || return ;;
      stack:first) _swarm_stack "$value" && _swarm_watch --first || return ;;
      stack:rest) _swarm_stack "$value" && _swarm_watch || return ;;
      end) whole=yes ;;
    esac
  done 3< <(_swarm_settings keys | _swarm_python plan)
  [ -n "$whole" ] || exit 1 # what converts the settings has said why, and nothing was deployed
}

# _swarm_secret NAME VALUE: a new value has a new name. With the label, `docker stack rm` removes the secret too.
_swarm_secret() {
  docker secret inspect "$1" >/dev/null 2>&1 ||
    printf '%s' "$2" | docker secret create --label "$STACK_LABEL=$project" "$1" - >/dev/null
}

# _swarm_stack FILE: nodes find images themselves; they get the registry's login.
_swarm_stack() {
  printf '%s\n' "$1" | docker stack deploy --compose-file - --detach --resolve-image never --with-registry-auth "$project" >/dev/null
}

# _swarm_watch [OPTIONS]: waits for what was deployed. What an update has changed by then is in `changed`, if it failed.
_swarm_watch() {
  local said code=0
  say "waiting for the services"
  said=$(_swarm_python watch "$@" < <(_swarm_snapshots)) || code=$?
  if [ "$code" = 0 ]; then
    [ -z "$said" ] || printf '%s\n' "$said"
  else
    changed=$said
  fi
  return "$code"
}

# _swarm_roll_back: what the engine has not rolled back itself, so that all services are of one version again.
_swarm_roll_back() {
  local service
  say "rolling back the rest of the update"
  for service in ${changed:-}; do docker service rollback --detach "$service" >/dev/null || true; done
  _swarm_watch --rolled-back || die "the rollback failed too" "./run swarm status says what does not run"
  die "the update failed and was rolled back" "what ran before runs again; docker service logs ${project}_SERVICE says why"
}

# _swarm_gateway: the container of a gateway of the stack on this node, if there is one.
_swarm_gateway() {
  docker ps --quiet --filter "label=com.docker.swarm.service.name=$(_project)_gateway" --filter health=healthy | head -n 1
}

_swarm_services() { docker service ls --quiet --filter "label=$STACK_LABEL=$project"; }

_swarm_snapshots() { while _swarm_snapshot; do sleep 1; done; }

# _swarm_snapshot: one line of JSON: nodes, services and tasks. A task may vanish between two of these questions.
# shellcheck disable=SC2046,SC2086 # one word for each id
_swarm_snapshot() {
  local services
  services=$(_swarm_services) || return
  printf '{"nodes": [%s], "services": [%s], "tasks": [%s]}\n' \
    "$(_swarm_nodes | paste -s -d , -)" \
    "$(docker service inspect --format '{{json .}}' $services | paste -s -d , -)" \
    "$(docker inspect --type task --format '{{json .}}' $(docker service ps --quiet --no-trunc $services) 2>/dev/null | paste -s -d , -)"
}
