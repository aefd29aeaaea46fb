# shellcheck shell=bash
# The command that moves to another version, and moves back by itself when that fails.

# upgrade [--no-build] — move to this checkout's version: backup, images, migrations, health; back on failure
# The images are built while the old version serves. The gateway is down from the backup to the health
# check, so that the backup misses no cost. When a migration or a health check fails, or you press ctrl-c,
# the previous images and database are put back, and the exit code is 1.
# --no-build uses the images of this version that the engine already has.
upgrade() {
  local build=yes started=$SECONDS
  case ${1:-} in
    '') ;;
    --no-build) build='' ;;
    *) die "upgrade does not know '$1'" "./run upgrade --help" ;;
  esac
  engine_ensure
  [ "$(_state "$(_old_gateway)")" = healthy ] ||
    die "the gateway is not healthy, so nothing could show whether the upgrade works" \
      "fix it first: ./run status; './run up' starts this checkout's version without a way back"
  trap _undo EXIT
  trap 'exit 1' INT TERM HUP
  _upgrade_images "$build"
  _upgrade_backup
  _upgrade_start
  trap - EXIT INT TERM HUP
  say "upgraded in $((SECONDS - started)) s; the previous data: $OLD_DATA"
}

# What the way back needs; global, because a trap uses it.
OLD_TAG='' OLD_DATA='' OLD_BEGAN='' OLD_SERVICES=() OLD_SCALE=()
UNDO=_say_unchanged # the function that undoes the steps made so far
STARTING=           # the process that starts services

_upgrade_images() {
  local service image
  OLD_TAG=before-upgrade-$(_project)
  OLD_BEGAN=$(_gateway_began)
  say "1/3 images: keeping those in use as $OLD_TAG"
  for service in $(docker compose ps --orphans=false --services --status running); do
    image=$(_image_in_use "$service")
    # Before 0.2 the gateway was LiteLLM itself, in a service of that name.
    [ "$service" != "$(_old_gateway)" ] || service=gateway
    OLD_SERVICES+=("$service")
    [ "$service" = litellm ] || docker tag "$image" "litellm-proxy-service/$service:$OLD_TAG"
  done
  # An image from before 0.2 has no separate LiteLLM, even if it runs as `gateway` since an upgrade was undone.
  case " ${OLD_SERVICES[*]} " in *" litellm "*) ;; *) OLD_SCALE=(--scale litellm=0) ;; esac
  [ -z "$1" ] || build_images
  for service in $(docker compose config --images "${OLD_SERVICES[@]}"); do
    image_present "$service" || die "there is no image $service" "./run upgrade, without --no-build, builds it"
  done
}

# _upgrade_backup: by the old version's own program, which can therefore read it again.
_upgrade_backup() {
  say "2/3 backup: the gateway stops, answers under way finish, their costs are booked"
  OLD_DATA=$(_new_backup -before-upgrade)
  UNDO=_start_old
  docker compose --progress quiet stop backend-stub litellm gateway
  (STACK_VERSION=$OLD_TAG backup "$OLD_DATA" >/dev/null) ||
    die "without a backup there would be no way back" "the lines above say why there is none"
}

_upgrade_start() {
  say "3/3 start: migrations run, then every service must become healthy"
  UNDO=_go_back
  _start_services "${OLD_SERVICES[@]}" && return
  { _last_lines 10 migrate && _last_lines 10 gateway; } | sed 's/^/  | /' >&2
  die "the new version does not start" "the lines above say why"
}

# _start_old_services: the services that ran before, from their images.
_start_old_services() {
  local SCALE=(${OLD_SCALE[@]+"${OLD_SCALE[@]}"})
  STACK_VERSION=$OLD_TAG _start_services "${OLD_SERVICES[@]}"
}

# _start_services SERVICE...: true when all are healthy; the model may take longer to download.
_start_services() {
  local service failed=''
  local waited=()
  for service in "$@"; do
    [ "$service" = ollama ] || waited+=("$service")
  done
  [ $# -eq ${#waited[@]} ] || docker compose --progress quiet up --detach --no-build ollama || return
  docker compose --progress quiet up --no-build --wait ${SCALE[@]+"${SCALE[@]}"} "${waited[@]}" &
  STARTING=$!
  _watch_services "$STARTING"
  wait "$STARTING" || failed=yes
  STARTING=''
  [ -z "$failed" ]
}

# _watch_services PID: reports their progress every 10 s while the process lives.
_watch_services() {
  local said next=$((SECONDS + 10))
  while kill -0 "$1" 2>/dev/null; do
    # `wait` with a timeout does not exist in bash.
    sleep 0.5
    [ "$SECONDS" -ge "$next" ] || continue
    said=$(_last_lines 1 migrate) || said=''
    say "  ${said:-the database starts}; gateway: $(_state gateway)"
    next=$((SECONDS + 10))
  done
}

# _undo: what EXIT calls when something ended the upgrade. The way back runs in its own process group, so
# that a second ctrl-c does not reach it, and continues even if the terminal is gone.
_undo() {
  trap '' INT TERM HUP
  set +e
  if [ -n "$STARTING" ] && kill "$STARTING" 2>/dev/null; then wait "$STARTING"; fi
  set -m
  "$UNDO" </dev/null &
  wait $!
  exit 1
}

_say_unchanged() { say "not upgraded; the previous version keeps serving"; }

_start_old() {
  say "the previous version starts again"
  _start_old_services || die "the previous version does not start" "read './run logs'"
  die "not upgraded; the previous version serves again" "nothing was changed"
}

# _go_back: the old images, on the previous data.
_go_back() {
  local left data="the data of $OLD_DATA"
  say "going back to the previous version"
  docker compose --progress quiet stop backend-stub litellm gateway
  if _was_started; then
    left=$(_new_backup -failed-upgrade)
    if (backup "$left" >/dev/null); then say "what the new version wrote is kept in $left"; fi
  fi
  STACK_VERSION=$OLD_TAG docker compose --progress quiet up --no-build --wait postgres ||
    die "the previous database does not start" "read './run logs postgres'; the previous data is in $OLD_DATA"
  if _database_is_external; then
    data="your own database as it is now; its previous state is in $OLD_DATA"
  else
    STACK_VERSION=$OLD_TAG _archive restore --replace <"$OLD_DATA" ||
      die "the previous data could not be put back" "./run restore $OLD_DATA --replace"
  fi
  _start_old_services ||
    die "the previous version does not start" "check it out and './run up'; it has $data"
  die "the upgrade failed; the previous images run again, with $data" \
    "the lines above say why; './run up' would start the new version, so check out the old one or fix the new one"
}

_image_in_use() { docker inspect --format '{{.Image}}' "$(_container "$1")"; }

_gateway_began() { docker inspect --format '{{.State.StartedAt}}' "$(_container "$(_old_gateway)")"; }

# _old_gateway: the service that is the gateway; in a stack of version 0.1 it is litellm.
_old_gateway() {
  if [ -z "$(_container gateway)" ] && [ -n "$(_container litellm)" ]; then printf 'litellm\n'; else printf 'gateway\n'; fi
}

# _was_started: whether the gateway ran since the upgrade began; a container that never ran has year 1.
_was_started() {
  case $(_gateway_began) in '' | 0001-* | "$OLD_BEGAN") return 1 ;; esac
}

_database_is_external() {
  case $(docker compose config postgres) in *'POSTGRES_EXTERNAL: "true"'*) ;; *) return 1 ;; esac
}

# _last_lines N SERVICE: the end of its log; compose's own `logs` mixes in control characters.
_last_lines() {
  local container
  container=$(_container "$2")
  [ -z "$container" ] || docker logs --tail "$1" "$container" 2>&1
}
