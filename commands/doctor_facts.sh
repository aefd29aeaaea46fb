# shellcheck shell=bash
# What `./run doctor` collects about this machine: records of a name and a program's output, each followed
# by a NUL. gateway/gateway/doctor/parse.py reads them. Needs commands/doctor.sh.

# _fact NAME COMMAND...: one record: the name, NUL, what the command writes, NUL.
_fact() {
  local name=$1
  shift
  printf '%s\0' "$name"
  { "$@" </dev/null 2>/dev/null || true; } | tr -d '\0'
  printf '\0'
}

# _doctor_facts PROJECT: all records.
_doctor_facts() {
  _fact env_example cat .env.example
  _fact config cat litellm/litellm_config.yaml
  _fact meminfo cat /proc/meminfo
  _fact "disk:this folder" df -Pk .
  _fact weights _weights
  _facts_of_env_files
  _facts_of_shell
  _facts_of_modes
  _facts_of_engine
  _facts_of_ports
  ! engine_answers || _facts_of_project "$1"
}

# _env_files: the files that compose reads, one per line.
_env_files() { printf '%s\n' "${COMPOSE_ENV_FILES:-.env}" | tr ',' '\n'; }

_facts_of_env_files() {
  local file
  _env_files | while read -r file; do
    [ -f "$file" ] || continue
    _fact "env_file:$file" cat "$file"
    _fact "env_mode:$file" _mode "$file"
  done
}

# _mode PATH: its permission bits, by GNU's stat or BSD's.
_mode() { stat -L -c %a "$1" 2>/dev/null || stat -L -f %Lp "$1"; }

_facts_of_shell() {
  local name
  for name in $(sed -nE 's/^#?([A-Z][A-Z0-9_]*)=.*/\1/p' .env.example) LITELLM_BASE_URL \
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy; do
    [ -z "${!name+set}" ] || _fact "shell:$name" printf '%s' "${!name}"
  done
}

_facts_of_modes() {
  local path
  for path in litellm/litellm_config.yaml ollama/models "${DOCKER_HOST:-/var/run/docker.sock}"; do
    path=${path#unix://}
    [ ! -e "$path" ] || _fact "mode:$path" _mode "$path"
  done
}

_weights() {
  local file
  for file in ollama/models/*.gguf; do
    [ ! -f "$file" ] || printf '%s\t%s\n' "$(wc -c <"$file" | tr -d ' ')" "$(basename "$file")"
  done
}

_facts_of_engine() {
  ! have docker || _fact docker echo yes
  _fact docker_error _docker_error
  _fact compose docker compose version --short
  _fact buildx docker buildx version
  _fact now date +%s
  _fact docker_info docker info --format '{{json .}}'
  _fact "disk:the engine's data" _engine_disk
}

# _engine_disk: nothing where the engine runs in a virtual machine, because its folder is not here.
_engine_disk() { df -Pk "$(docker info --format '{{.DockerRootDir}}')"; }

# _facts_of_ports: which processes listen on the ports that the stack publishes, and on that of a local Ollama.
_facts_of_ports() {
  local variable number names=(LITELLM_PORT=4000 BACKEND_PORT=8000)
  case $(_env_or_shell COMPOSE_FILE '') in
    *publish*) names+=(POSTGRES_PORT=5432 OLLAMA_PORT=11434) ;;
  esac
  case $(_env_or_shell COMPOSE_PROFILES '') in
    *grafana*) names+=(PROMETHEUS_PORT=9090 GRAFANA_PORT=3000) ;;
    *observability*) names+=(PROMETHEUS_PORT=9090) ;;
  esac
  for variable in "${names[@]}"; do
    number=$(_env_or_shell "${variable%%=*}" "${variable#*=}")
    variable=${variable%%=*}
    [[ $number =~ ^[0-9]+$ ]] || continue
    _fact "port:$variable" _number_and_listeners "$number"
    _fact "publisher:$variable" docker ps --filter "publish=$number" --format '{{.Names}}'
  done
  _fact ollama_listeners _listeners 11434
}

# _env_or_shell NAME DEFAULT: a plain value, from the shell or otherwise from .env.
_env_or_shell() {
  local name=$1 file value=
  if [ -n "${!name:-}" ]; then
    printf '%s\n' "${!name}"
    return
  fi
  while read -r file; do
    [ ! -f "$file" ] || value=$(sed -nE "s/^(export )?$name=[\"']?([^\"'#[:space:]]*).*/\\2/p" "$file" | tail -n 1)
  done < <(_env_files)
  printf '%s\n' "${value:-$2}"
}

_number_and_listeners() {
  printf '%s\n' "$1"
  _listeners "$1"
}

# _listeners PORT: address, tab, process of each listener; the address as the kernel writes it.
_listeners() {
  local address inode
  if [ -r /proc/net/tcp ]; then
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
      awk -v port="$(printf ':%04X' "$1")" '$4 == "0A" && substr($2, length($2) - 4) == port { print $2, $10 }' |
      while read -r address inode; do printf '%s\t%s\n' "${address%:*}" "$(_owner "$inode")"; done
  elif have lsof; then
    lsof -nP -iTCP:"$1" -sTCP:LISTEN |
      awk 'NR > 1 { sub(/:[0-9]+$/, "", $9); printf "%s\tpid %s (%s)\n", $9, $2, $1 }'
  fi
}

# _owner INODE: "pid 12 (its command line)" of a socket, if this user may see the process.
_owner() {
  local found
  found=$(find /proc/[0-9]*/fd -maxdepth 1 -lname "socket:\[$1\]" -print -quit 2>/dev/null) || true
  found=${found#/proc/}
  found=${found%%/*}
  [ -n "$found" ] || return 0
  printf 'pid %s (%s)\n' "$found" "$(tr '\0' ' ' <"/proc/$found/cmdline" | cut -c 1-100)"
}

# _facts_of_project PROJECT: what compose would start, and which of it runs. An image carries its service's
# labels, so a container that was run by hand has them too; only compose's own have `oneoff`.
_facts_of_project() {
  local container containers ours=(--filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.oneoff=False)
  _fact compose_config docker compose config --format json
  _fact compose_stderr _compose_complaint
  containers=$(docker ps --all --quiet --no-trunc "${ours[@]}")
  # shellcheck disable=SC2086 # one word per container
  [ -z "$containers" ] || _fact containers docker inspect $containers
  for container in $(docker ps --all --quiet --no-trunc "${ours[@]}" --filter status=exited --filter status=restarting); do
    _fact "log:$container" _log_tail "$container"
  done
  container=$(docker ps --quiet "${ours[@]}" --filter label=com.docker.compose.service=ollama | head -n 1)
  [ -z "$container" ] || _fact model_status docker exec "$container" model-server status --json
  container=$(docker ps --quiet "${ours[@]}" --filter label=com.docker.compose.service=gateway --filter health=healthy | head -n 1)
  [ -z "$container" ] || _fact deployments docker exec "$container" gateway models --json
  _fact cluster _cluster_versions "$1"
}

_compose_complaint() { docker compose config --quiet 2>&1; }

_log_tail() { docker logs --tail 3 "$1" 2>&1; }

# _cluster_versions PROJECT: the image's PostgreSQL version, then the one that created the volume, if any.
_cluster_versions() {
  local volume="$1_postgres-data" image="litellm-proxy-service/postgres:${STACK_VERSION:-0.1.0}"
  docker volume inspect "$volume" >/dev/null && image_present "$image" || return 0
  docker run --rm --network none --user 999 --volume "$volume:/volume:ro" --entrypoint sh "$image" \
    -c 'postgres --version; cat /volume/PG_VERSION /volume/pgdata/PG_VERSION 2>/dev/null || true'
}
