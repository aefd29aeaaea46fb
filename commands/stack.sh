# shellcheck shell=bash
# The commands for the stack as a whole: start it, stop it, see how it is.

# up — start the stack, and first prepare whatever the machine lacks
up() {
  local started=$SECONDS
  engine_ensure
  [ -z "$(docker ps --quiet --filter "label=$STACK_LABEL")" ] ||
    [ -z "$(docker ps --quiet --filter "label=$STACK_LABEL=$(_project)")" ] ||
    die "the stack runs here on a swarm, on the same volumes" "./run swarm status; ./run swarm down, then this again"
  build_images
  ! model_wanted || model_choose "$(_project)"
  say "starting the stack"
  docker compose up --detach --no-build || _explain_failed_start
  _wait_for_model
  _wait_for_backend
  say "up after $((SECONDS - started)) s"
  say ""
  _status
  [ "$(_state ollama)" = healthy ] || ! model_wanted ||
    die "the local model is not served; the gateway is up, and other providers answer" "the ollama line above says what to do"
  _what_next
}

# down [--engine] — stop the stack and keep its data; --engine also stops an engine that `up` started
# The volumes stay: database, keys, models, and the journal with the costs that have not reached the database.
down() {
  engine_path
  if engine_answers; then docker compose down --remove-orphans; fi
  [ "${1:-}" != --engine ] || engine_stop
}

# destroy [--yes] — ask, then remove the stack with its database, keys and models
destroy() {
  local answer
  _engine_required
  if [ "${1:-}" != --yes ]; then
    say "this removes the containers and the volumes of project $(_project): spend logs, costs waiting in the journal, keys, pulled models"
    read -r -p "type the project's name to go on: " answer || answer=
    [ "$answer" = "$(_project)" ] || die "not removed" "the answer was not $(_project)"
  fi
  docker compose down --volumes --remove-orphans
}

# status [--watch | --json] — services, health, model, today's costs and errors, and deployments in cooldown
# Below the table: requests, cost and errors of today (UTC), the database's size, blocked keys, versions,
# deployments in cooldown, how good the models' German is, and whether an upgrade is due.
# --watch refreshes the screen every 5 s until ctrl-c; --json is for scripts.
status() {
  _engine_required
  case ${1:-} in
    '') _status ;;
    --json) _status_as_json ;;
    --watch) _watch_status ;;
    *) die "status does not know '$1'" "./run status --help" ;;
  esac
}

# _long_running: the services that run while the stack is up, in the order in which a request crosses them;
# then those that the profiles in use add.
_long_running() {
  printf '%s\n' backend-stub gateway litellm ollama postgres
  docker compose config --services | grep -x -e scripted-upstream -e prometheus -e grafana || true
}

_status() {
  local service LISTED
  LISTED=$(_list)
  _table_row SERVICE STATE URL DETAIL
  for service in $(_long_running); do
    _table_row "$service" "$(_state "$service")" "$(_published_url "$service")" "$(_detail "$service")"
  done
  if [ "$(_state gateway)" = healthy ]; then
    _overview 2>/dev/null || true # an older gateway knows no overview
    _model_notes
  fi
  _upgrade_note
}

# _watch_status: a new screen is complete before it replaces the old one.
_watch_status() {
  local screen
  while :; do
    screen=$(_status)
    [ ! -t 1 ] || printf '\033[H\033[2J'
    printf '%s\n' "$screen"
    sleep 5
  done
}

# _status_as_json: {"services": […], "today": {…}}; today is null unless the gateway is healthy.
_status_as_json() {
  local service url today=null separator='' LISTED
  # shellcheck disable=SC2034 # _state and others read it
  LISTED=$(_list)
  printf '{"services": ['
  for service in $(_long_running); do
    url=$(_published_url "$service")
    printf '%s{"service": "%s", "state": "%s", "url": %s, "detail": %s}' "$separator" "$service" "$(_state "$service")" \
      "$(_json_or_null "${url#internal}")" "$(_json_or_null "$(_detail "$service")")"
    separator=', '
  done
  [ "$(_state gateway)" != healthy ] || today=$(_overview --json) || today=null
  printf '], "today": %s}\n' "$today"
}

_published_url() {
  case $1 in
    backend-stub) _url backend-stub 8000 ;;
    gateway) _url gateway 4000 ;;
    prometheus) _url prometheus 9090 | sed '/./s|$|/user/|' ;;
    grafana) _url grafana 3000 ;;
    *) printf 'internal\n' ;;
  esac
}

_detail() {
  case $1 in
    ollama) _model_status ;;
    litellm) _said_by_health_check litellm ;; # whether it runs or waits until it is needed
    gateway) _reason gateway && _missing_process ;;
    *) _reason "$1" ;;
  esac
}

# _missing_process: one of GATEWAY_PROCESSES that does not serve while the others do.
_missing_process() { _said_by_health_check gateway | sed -n 's/^healthy;.*degraded: \(process [^;]*\).*/\1/p'; }

# _json_or_null TEXT: a JSON string of one line; null for an empty text.
_json_or_null() {
  [ -n "$1" ] || {
    printf 'null\n'
    return
  }
  printf '"%s"\n' "$(printf '%s' "$1" | tr '\000-\037' ' ' | sed 's/[\\"]/\\&/g')"
}

# _overview [--json]: today and the database, as the gateway prints them.
_overview() { docker compose exec --no-TTY gateway gateway overview "$@" </dev/null; }

# logs [--request ID] [OPTIONS] [SERVICE] — the services' logs, or every line about one request in order of time
# ID is the request_id of an answer, or a part of it. The other options are compose's: --follow (not with
# --request), --since 10m.
logs() {
  local request='' arguments=()
  while [ $# -gt 0 ]; do
    case $1 in
      --request) request=${2:-} && shift ;;
      --request=*) request=${1#--request=} ;;
      *) arguments+=("$1") && shift && continue ;;
    esac
    [ "${#request}" -ge 8 ] || die "--request needs at least 8 characters of an id" "it is the request_id of an answer"
    [ $# -eq 0 ] || shift
  done
  _engine_required
  if [ -z "$request" ]; then
    docker compose logs ${arguments[@]+"${arguments[@]}"}
  else
    _lines_of_request "$request" ${arguments[@]+"${arguments[@]}"}
  fi
}

# _lines_of_request ID OPTION...: from all services, sorted by the timestamp that docker puts first.
_lines_of_request() {
  local request=$1
  shift
  case " $* " in *" --follow "* | *" -f "*) die "--request and --follow exclude each other" "give one of them" ;; esac
  COMPOSE_ANSI=never docker compose logs --no-color --timestamps "$@" |
    awk -v request="$request" 'index($0, request) { gsub(/\033\[2K/, ""); print; found = 1 } END { exit !found }' |
    sort -t '|' -k 2 || die "no log line has $request" "check the id and the stack; the logs keep 30 MB per service"
}

# report — what a bug report needs: versions, containers, their last output, and their use of this machine
report() {
  local container
  _engine_required
  docker version --format 'docker {{.Client.Version}}, engine {{.Server.Version}}'
  docker compose version
  docker compose ps --all
  docker stats --all --no-stream
  for container in $(docker compose ps --all --quiet); do
    docker inspect --format '== {{.Name}} {{.State.Status}}, exit code {{.State.ExitCode}}' "$container"
    docker logs --tail 50 "$container" 2>&1
  done
}

_table_row() { printf '%-14s %-12s %-24s %s\n' "$@"; }

# _reason SERVICE: why it is not healthy, as its health check says; empty when it is healthy.
_reason() { [ "$(_state "$1")" = healthy ] || _said_by_health_check "$1"; }

# _said_by_health_check SERVICE: the last line of its health check; empty when it printed none.
_said_by_health_check() {
  local container
  container=$(_container "$1")
  [ -n "$container" ] || return 0
  docker inspect --format '{{if .State.Health}}{{range .State.Health.Log}}{{println .Output}}{{end}}{{end}}' "$container" |
    awk 'NF { last = $0 } END { print last }'
}

# _model_notes: which deployments are in cooldown and why, and how good the extraction models' German is.
_model_notes() { docker compose exec --no-TTY gateway gateway models --notes </dev/null 2>&1 || true; }

# _upgrade_note: a line when the gateway runs another version than this checkout has. The name is the image that
# its container was created from: compose shows an id instead once the same version was built again.
_upgrade_note() {
  local running wanted
  running=$(_container "$(_old_gateway)")
  running=$(docker inspect --format '{{.Config.Image}}' "$running" 2>/dev/null) || return 0
  wanted=$(docker compose config --images gateway | awk '/\/gateway:/ { image = $0 } END { print image }')
  [ -z "$running" ] || [ "$running" = "$wanted" ] ||
    printf 'version %s runs, this checkout has %s: ./run upgrade\n' "${running##*:}" "${wanted##*:}"
}

_model_status() {
  docker compose exec --no-TTY ollama model-server status 2>/dev/null || _reason ollama
}

# _wait_for_model: until its health check has a result; reports a download's progress every 10 s.
_wait_for_model() {
  local next=0
  while [ "$(_state ollama)" = starting ]; do
    if [ "$SECONDS" -ge "$next" ]; then
      say "  model: $(_model_status)"
      next=$((SECONDS + 10))
    fi
    sleep 0.5
  done
}

# _wait_for_backend: the gateway, which the backend needs, is healthy already: compose waited for it.
_wait_for_backend() {
  local deadline=$((SECONDS + 60))
  while [ "$(_state backend-stub)" = starting ] && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.5; done
  [ "$(_state backend-stub)" = healthy ] || _explain_failed_start
}

# _explain_failed_start: compose says which container failed; that container's last lines say why.
_explain_failed_start() {
  local service
  for service in secrets postgres migrate gateway litellm ollama backend-stub prometheus; do
    case $(_state "$service") in
      healthy | exited | "not running") ;;
      *) say "$service: $(_state "$service") $(_reason "$service")" ;;
    esac
  done
  docker compose logs --no-log-prefix --tail 5 secrets migrate 2>/dev/null | sed 's/^/  | /' >&2
  die "the stack did not start" "read the whole log with './run logs', fix the cause, then './run up'"
}

_what_next() {
  say ""
  say "try it:"
  cat >&2 <<END
  curl -d '{"text":"Der Hund schläft im Garten, weil er müde ist."}' -H 'content-type: application/json' http://$(_published backend-stub 8000)/extract
END
}
