# shellcheck shell=bash
# The command that finds out what is wrong. doctor_facts.sh collects what only the host can see;
# gateway/gateway/doctor judges it, in a container of the gateway's image.

# doctor [--fix] [--yes] [--json] — find what is wrong: each finding with its evidence and the exact fix
# Works with the stack down, half up or up; without an engine as far as Python 3.10 is available.
# The exit code is 0 when nothing is wrong, 1 when something is. --fix makes the safe repairs, after
# asking (--yes does not ask): it cleans lines of .env and keeps a copy, makes .env unreadable to
# other users, and restarts ollama so that it pulls its model.
doctor() {
  local fix='' json='' yes='' code=0 wanted=''
  while [ $# -gt 0 ]; do
    case $1 in
      --fix) fix=yes ;;
      --yes) yes=yes ;;
      --json) json=--json ;;
      *) die "doctor does not know '$1'" "./run doctor --help" ;;
    esac
    shift
  done
  [ -z "$fix" ] || [ -z "$json" ] || die "--fix asks, and --json is for programs" "give one of them"
  engine_path
  if [ -z "$fix" ]; then
    _examine $json || code=$?
  else
    wanted=$(_examine --repairs) || code=$?
  fi
  [ "$code" -le 1 ] || die "the checks could not be made (exit code $code)" "./run up builds the image of this checkout"
  if [ -z "$wanted" ] || ! _repair_all "$wanted" "$yes"; then
    return "$code"
  fi
  say ""
  say "and now:"
  _examine
}

# _examine OPTION: judges the facts, in the gateway's image, by the host's Python, or without either; the exit
# code is the verdict's.
_examine() {
  local image="litellm-proxy-service/gateway:${STACK_VERSION:-0.1.0}" project
  project=$(_doctor_project)
  if image_present "$image"; then
    _doctor_facts "$project" | _in_gateway_image "$image" "$project" "$@"
  elif python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    _doctor_facts "$project" | PYTHONPATH=gateway PYTHONDONTWRITEBYTECODE=1 python3 -m gateway.doctor "$@"
  else
    _examine_without_python "$@"
  fi
}

# _in_gateway_image IMAGE PROJECT OPTION: on the stack's network if there is one.
_in_gateway_image() {
  local image=$1 network="$2_default"
  shift 2
  docker network inspect "$network" >/dev/null 2>&1 || network=bridge
  docker run --rm --interactive --network "$network" --add-host host.docker.internal:host-gateway \
    --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
    "$image" doctor "$@"
}

# _examine_without_python OPTION: all that can be said with neither the image nor a Python.
_examine_without_python() {
  local what="the gateway's image is not built, and there is no Python 3.10 to run the checks instead"
  local todo="./run up builds the image; then ./run doctor says more"
  if ! engine_answers; then
    what="no container engine answers: $(_docker_error)"
    todo="install Docker Engine 25 or newer (docs.docker.com/engine/install) or start it; as root on Debian or Ubuntu ./run up prepares one"
  fi
  if [ "${1:-}" = --json ]; then
    printf '{"findings": [{"check": "engine_answers", "what": "%s", "evidence": "", "fix": "%s", "repair": null}], "not_checked": ["everything else"]}\n' \
      "$(printf '%s' "$what" | tr '"\\\n' "'/ ")" "$todo"
  else
    say "$what"
    say "  fix: $todo"
    say "not checked: everything else"
  fi
  return 1
}

_docker_error() {
  if have docker; then docker info 2>&1 >/dev/null | head -n 1; else printf 'there is no docker command\n'; fi
}

# _doctor_project: the project's name, even if compose cannot read its files.
_doctor_project() {
  local name
  name=$(_project 2>/dev/null) || name=
  printf '%s\n' "${name:-${COMPOSE_PROJECT_NAME:-litellm-proxy}}"
}

# _repair_all LINES YES: each line has action, target, line numbers and question; true when a repair was made.
_repair_all() {
  local action target lines question done=1 answer
  while IFS=$'\t' read -r action target lines question <&3; do
    say ""
    if [ -z "$2" ]; then
      printf '%s? [y/N] ' "$question" >&2
      read -r answer || answer=
      case $answer in y | Y | yes) ;; *) continue ;; esac
    fi
    case $action in
      clean-env) _clean_env "$target" "$lines" ;;
      chmod-env) chmod 600 "$target" || die "$target is not yours to change" "do it as its owner: chmod 600 $target" ;;
      restart) docker compose restart "$target" || die "$target could not be restarted" "read './run logs $target'" ;;
      *) die "there is no repair '$action'" "./run up builds the image that fits this checkout" ;;
    esac
    say "done: $question"
    done=0
  done 3<<<"$1"
  return "$done"
}

# _clean_env FILE LINES: removes blanks and carriage returns from the end of these lines; keeps a copy.
_clean_env() {
  local file=$1 copy script
  copy="$file.$(date -u +%Y%m%dT%H%M%SZ).bak"
  # The copy holds the same secrets. Nothing here is under set -e: ./run asks how this ends.
  (umask 077 && cat "$file" >"$copy") || die "no copy of $file could be written, so the file was left alone" "free some space, or make its folder writable"
  script="1s/^$(printf '\357\273\277')//$(printf '%s\n' "$2" | tr ',' '\n' | sed 's/$/s\/[[:space:]]+$\/\//; s/^/;/' | tr -d '\n')"
  LC_ALL=C sed -E "$script" "$copy" >"$file" || die "$file could not be written" "the copy is $copy"
  say "the copy is $copy"
}
