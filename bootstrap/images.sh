# shellcheck shell=bash
# Base images for a machine that reaches no image registry: substitute images under the exact tags of
# upstream's, built from Debian, PyPI and Go packages, only for images that can be neither found nor
# pulled. Needs bootstrap/lib.sh and bootstrap/packages.sh; a container engine must answer.

PYTHON_IMAGE=python:3.13.5-slim-trixie
# The images that the Dockerfiles of this project name after FROM and COPY --from. Ollama's comes
# first: its substitute takes longest to build, and the others are built meanwhile.
BASE_IMAGES=(ollama/ollama:0.17.4 "$PYTHON_IMAGE" postgres:17.12-trixie)
# Services that a profile adds, each with its base image; empty for the Python image.
PROFILE_IMAGES=(prometheus=prom/prometheus:v2.53.3 scripted-upstream=)
# The image that the substitutes are built on.
SUBSTITUTE_BASE=debian:trixie-slim
SUBSTITUTE_LABEL=org.litellm-proxy-service.substitute
BOOTSTRAP_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

image_present() { docker image inspect "$1" >/dev/null 2>&1; }

# profile_services: prints the services of PROFILE_IMAGES whose profile is in use.
profile_services() {
  local entry services
  services=$(docker compose config --services)
  for entry in "${PROFILE_IMAGES[@]}"; do
    ! grep -qx "${entry%%=*}" <<<"$services" || printf '%s\n' "${entry%%=*}"
  done
}

# images_missing [SERVICE...]: prints each base image that the engine neither has nor can pull; the base
# images of the named services are checked as well.
images_missing() {
  local image entry reachable=yes images=("${BASE_IMAGES[@]}")
  for entry in "${PROFILE_IMAGES[@]}"; do
    [[ " $* " != *" ${entry%%=*} "* || -z ${entry#*=} ]] || images+=("${entry#*=}")
  done
  for image in "${images[@]}"; do
    image_present "$image" && continue
    if [ "$reachable" = yes ]; then
      image_pull "$image" && continue
      # A missing tag does not mean that the registry is unreachable: the next image is tried anyway.
      grep -qE 'not found|manifest unknown' "$BOOTSTRAP_LOGS/pull.log" || reachable=no
    fi
    printf '%s\n' "$image"
  done
}

# image_pull IMAGE: true when the pull succeeded; its progress goes to the terminal.
image_pull() {
  mkdir -p "$BOOTSTRAP_LOGS"
  say "pulling $1"
  docker pull "$1" 2>"$BOOTSTRAP_LOGS/pull.log" >&2 && return
  say "  it cannot be pulled here: $(head -n 1 "$BOOTSTRAP_LOGS/pull.log")"
  return 1
}

# image_folder IMAGE: the folder under bootstrap/images that builds its substitute, e.g. "ollama".
image_folder() {
  local name=${1%%:*}
  printf '%s\n' "${name##*/}"
}

# image_substitute IMAGE: builds the substitute in the foreground; to be run under `step`.
image_substitute() {
  docker build --tag "$1" --label "$SUBSTITUTE_LABEL=$1" "$BOOTSTRAP_DIR/images/$(image_folder "$1")"
}

# images_substitute_base: builds debian:trixie-slim with mmdebstrap, unless the engine has it.
images_substitute_base() {
  image_present "$SUBSTITUTE_BASE" && return
  packages_ready
  step debian "building $SUBSTITUTE_BASE from Debian packages (under a minute)" \
    "check the Debian mirror of this machine" _debian_root
}

# A root file system as small as upstream's slim image. It includes the host's CA bundle: where a proxy
# re-signs TLS, every download inside a build needs it. The variables serve the programs that ship their
# own bundle (pip, uv, requests, node).
_debian_root() {
  local bundle=/etc/ssl/certs/ca-certificates.crt mirror work
  mirror=$(debian_mirror)
  work=$(mktemp -d)
  # shellcheck disable=SC2016 # $1 is mmdebstrap's, inside the hook
  mmdebstrap --variant=minbase --include=ca-certificates \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/etc/hostname "$1"/etc/resolv.conf' \
    --customize-hook="[ ! -r '$bundle' ] || cp '$bundle' \"\$1$bundle\"" \
    "$BOOTSTRAP_SUITE" "$work/root.tar" \
    "deb $mirror $BOOTSTRAP_SUITE main" \
    "deb $mirror $BOOTSTRAP_SUITE-updates main" \
    "deb ${mirror%/debian}/debian-security $BOOTSTRAP_SUITE-security main"
  docker import \
    --change "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    --change "ENV SSL_CERT_FILE=$bundle REQUESTS_CA_BUNDLE=$bundle PIP_CERT=$bundle NODE_EXTRA_CA_CERTS=$bundle" \
    --change "LABEL $SUBSTITUTE_LABEL=$SUBSTITUTE_BASE" \
    --change 'CMD ["bash"]' \
    "$work/root.tar" "$SUBSTITUTE_BASE"
  rm -rf "$work"
}
