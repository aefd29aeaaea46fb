# shellcheck shell=bash
# A container engine for a machine that has none: Debian's packages, unpacked into the cache folder,
# started by `./run up`, stopped by `./run down --engine`. Needs bootstrap/lib.sh and bootstrap/packages.sh.

ENGINE_ROOT="$BOOTSTRAP_CACHE/engine"
ENGINE_RUN=/run/litellm-proxy-service
ENGINE_SOCKET=/var/run/docker.sock

# Engine 25 or newer is needed: older ones reject RUN heredocs and the health check's start_interval.
# A star accepts Debian's security revisions of that upstream version. The packages are unpacked, not
# installed: an installation would replace the host's libc. They need glibc 2.34 (Debian 12, Ubuntu 22.04).
ENGINE_PACKAGES=(
  'docker.io=26.1.5*' 'docker-cli=26.1.5*' 'containerd=1.7.24*'
  'docker-buildx=0.13.1*' 'docker-compose=2.26.1*' 'tini=0.19.0*'
)
# These link against the host's libc, so they come from the host's own release.
ENGINE_HOST_PACKAGES=(
  runc iptables libip4tc2 libip6tc2 libxtables12 libnftnl11 libmnl0 libnfnetlink0
  libnetfilter-conntrack3
)

# engine_answers: true when a container engine answers the docker command.
engine_answers() { docker info >/dev/null 2>&1; }

# engine_path: puts an engine that was unpacked here first on PATH, so that its own tools are found.
engine_path() {
  [ -x "$ENGINE_ROOT/usr/sbin/dockerd" ] || return 0
  export PATH="$ENGINE_ROOT/bin:$ENGINE_ROOT/usr/sbin:$ENGINE_ROOT/usr/bin:$PATH"
}

# engine_ensure: provides a working `docker`, `docker compose` and `docker buildx`, or fails with one clear message.
engine_ensure() {
  engine_path
  if engine_answers; then
    _engine_has_compose || _engine_complete
    return
  fi
  _engine_may_be_made
  [ -e "$ENGINE_ROOT/complete" ] || _engine_unpack
  engine_path
  _engine_link_plugins
  _engine_start
}

_engine_has_compose() { docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; }

# An engine that runs but lacks the plugins is the user's own: it is reported, not changed.
_engine_complete() {
  if [ -e "$ENGINE_ROOT/complete" ]; then
    _engine_link_plugins
    return
  fi
  die "docker answers, but 'docker compose' or 'docker buildx' is missing" \
    "install the plugins: Debian packages docker-compose and docker-buildx, or docs.docker.com/compose/install"
}

_engine_may_be_made() {
  local id codename
  read -r id codename < <(host_release 2>/dev/null || echo "unknown unknown")
  if [ "$(id -u)" -ne 0 ] || [[ ! "$id" =~ ^(debian|ubuntu)$ ]]; then
    die "no container engine answers ('docker info' fails; $id $codename, user $(id -un))" \
      "install Docker Engine 25 or newer with the compose plugin (docs.docker.com/engine/install), start it, run this again; as root on Debian or Ubuntu this command prepares one itself"
  fi
  have apt-get || die "apt-get is needed to prepare a container engine" \
    "install Docker Engine 25 or newer yourself: docs.docker.com/engine/install"
}

_engine_unpack() {
  local codename
  read -r _ codename < <(host_release)
  step apt-lists "no container engine here: fetching one from Debian's packages (about 90 MB)" \
    "check the network and the Debian mirror of this machine" packages_refresh
  rm -rf "$ENGINE_ROOT"
  step engine "downloading and unpacking docker, containerd, compose and buildx" \
    "if the mirror no longer has a version, change its pin in bootstrap/engine.sh" \
    _engine_unpack_into "$ENGINE_ROOT" "$codename"
}

_engine_unpack_into() {
  local folder=$1 codename=$2 tool
  packages_unpack "$folder" "${ENGINE_PACKAGES[@]}" "${ENGINE_HOST_PACKAGES[@]/%//$codename}"
  mkdir -p "$folder/bin"
  # A package's alternatives are links that only an installation would create.
  for tool in iptables ip6tables iptables-save iptables-restore ip6tables-save ip6tables-restore; do
    ln -sf "$folder/usr/sbin/xtables-nft-multi" "$folder/bin/$tool"
  done
  ln -sf "$folder/usr/bin/tini-static" "$folder/bin/docker-init"
  touch "$folder/complete"
}

# The docker CLI looks for plugins in the user's folder; a link made by somebody else is left alone.
_engine_link_plugins() {
  local plugins="${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins" plugin source
  mkdir -p "$plugins"
  for plugin in docker-compose docker-buildx; do
    source=$(find "$ENGINE_ROOT/usr" -path "*/cli-plugins/$plugin" -print -quit)
    [ -n "$source" ] || die "the unpacked engine has no $plugin" "remove $ENGINE_ROOT and run this again"
    [ -e "$plugins/$plugin" ] || ln -sf "$source" "$plugins/$plugin"
  done
}

_engine_start() {
  say "starting the container engine (data in $ENGINE_ROOT-data)"
  mkdir -p "$ENGINE_RUN" "$BOOTSTRAP_LOGS"
  # Left by an engine that was killed. Another process may have that number now. dockerd would take it
  # for its predecessor, and either not start or end that process.
  rm -f "$ENGINE_RUN/docker.pid" "$ENGINE_RUN/exec/containerd/containerd.pid"
  [ -e "$ENGINE_RUN/ip_forward" ] || cat /proc/sys/net/ipv4/ip_forward >"$ENGINE_RUN/ip_forward"
  LD_LIBRARY_PATH=$(_engine_libraries) XTABLES_LIBDIR="$(dirname "$(find "$ENGINE_ROOT/usr/lib" -name libxt_addrtype.so -print -quit)")" \
    setsid "$ENGINE_ROOT/usr/sbin/dockerd" \
    --host "unix://$ENGINE_SOCKET" --data-root "$ENGINE_ROOT-data" --exec-root "$ENGINE_RUN/exec" \
    --pidfile "$ENGINE_RUN/docker.pid" --init-path "$ENGINE_ROOT/bin/docker-init" \
    --userland-proxy-path "$ENGINE_ROOT/usr/sbin/docker-proxy" \
    >"$BOOTSTRAP_LOGS/dockerd.log" 2>&1 </dev/null &
  _engine_wait $!
}

_engine_libraries() { dirname "$(find "$ENGINE_ROOT/usr/lib" -name 'libxtables.so*' -print -quit)"; }

# _engine_wait PID: waits at most 60 s for the engine to answer; stops at once if it died.
_engine_wait() {
  local pid=$1 deadline=$((SECONDS + 60))
  until engine_answers; do
    if ! kill -0 "$pid" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
      tail -n 20 "$BOOTSTRAP_LOGS/dockerd.log" | sed 's/^/  | /' >&2
      die "the container engine did not start" "read its whole log: $BOOTSTRAP_LOGS/dockerd.log"
    fi
    sleep 0.2
  done
}

# engine_stop: stops an engine that this project started and reverts what it changed: plugin links,
# bridge, firewall chains, ip_forward. The user's own engine is left alone.
engine_stop() {
  local pid deadline=$((SECONDS + 60))
  if [ ! -s "$ENGINE_RUN/docker.pid" ]; then
    say "no engine that this project started is running"
    return
  fi
  pid=$(cat "$ENGINE_RUN/docker.pid")
  kill "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null; do
    [ "$SECONDS" -lt "$deadline" ] || die "the engine (process $pid) did not stop in 60 s" "read $BOOTSTRAP_LOGS/dockerd.log"
    sleep 0.2
  done
  _engine_revert_host
  say "stopped the container engine; its images and volumes stay in $ENGINE_ROOT-data"
}

_engine_revert_host() {
  local plugin link
  engine_path
  for plugin in docker-compose docker-buildx; do
    link="${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins/$plugin"
    case $(readlink "$link" 2>/dev/null) in "$ENGINE_ROOT"/*) rm -f "$link" ;; esac
  done
  ip link delete docker0 2>/dev/null || true
  LD_LIBRARY_PATH=$(_engine_libraries) _engine_drop_chains
  cat "$ENGINE_RUN/ip_forward" >/proc/sys/net/ipv4/ip_forward
  _engine_unmount
  rm -rf "$ENGINE_RUN" "$ENGINE_SOCKET"
}

# dockerd leaves its network namespace, its data folder (a separate mount) and, if it was killed before,
# container file systems mounted.
_engine_unmount() {
  local mounted
  awk -v run="$ENGINE_RUN/" -v data="$ENGINE_ROOT-data/" \
    'index($2 "/", run) == 1 || index($2 "/", data) == 1 { print $2 }' /proc/mounts | sort --reverse |
    while read -r mounted; do umount "$mounted"; done
}

# Every rule that docker adds names one of its own chains or its bridge.
_engine_drop_chains() {
  local family
  for family in iptables ip6tables; do
    "$family-save" 2>/dev/null | grep -v -e DOCKER -e docker0 | "$family-restore" 2>/dev/null || true
    "$family" -P FORWARD ACCEPT 2>/dev/null || true
  done
}
