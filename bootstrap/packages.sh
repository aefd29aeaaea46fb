# shellcheck shell=bash
# Debian packages, fetched and verified by apt without installing any. apt's state is a private one in the
# cache folder; mirror and signatures are the machine's and Debian's own. Needs bootstrap/lib.sh.

PACKAGES_ROOT="$BOOTSTRAP_CACHE/apt"
# The suite that the container engine and the substitute images come from: Debian stable, so that
# pinned versions stay on the mirrors.
BOOTSTRAP_SUITE=trixie

# host_release: prints ID and VERSION_CODENAME of this machine, e.g. "debian bookworm".
host_release() {
  # shellcheck disable=SC1091 # the file is the host's
  (. /etc/os-release && printf '%s %s\n' "${ID:-unknown}" "${VERSION_CODENAME:-unknown}")
}

# debian_mirror: prints DEBIAN_MIRROR if set, else the URL of the Debian mirror that this machine uses.
debian_mirror() {
  local id codename uri
  read -r id codename < <(host_release)
  if [ -n "${DEBIAN_MIRROR:-}" ]; then
    uri=$DEBIAN_MIRROR
  elif [ "$id" = debian ]; then
    # shellcheck disable=SC2016 # the names in $() are apt's
    uri=$(apt-get indextargets 'Created-By: Packages' --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' |
      awk -v release="$codename" '($1 == release || $1 == "stable") && $2 == "main" { print $3; exit }')
  fi
  [ -n "${uri:-}" ] || die "this machine ($id $codename) names no Debian mirror" \
    "set DEBIAN_MIRROR to the URL of a mirror and run this again"
  printf '%s\n' "${uri%/}"
}

# _private_apt ARGS...: apt-get with its lists, cache and sources in the cache folder.
_private_apt() {
  apt-get -qq \
    -o Dir::Etc::sourcelist="$PACKAGES_ROOT/sources.list" \
    -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferencesparts=/dev/null \
    -o Dir::State::Lists="$PACKAGES_ROOT/lists" \
    -o Dir::Cache="$PACKAGES_ROOT/cache" \
    -o APT::Sandbox::User=root \
    -o Acquire::Retries=3 \
    "$@"
}

# packages_refresh: writes the private sources and fetches their signed indexes.
packages_refresh() {
  local mirror codename suite keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  mirror=$(debian_mirror)
  read -r _ codename < <(host_release)
  [ -r "$keyring" ] || die "Debian's archive keys are missing: $keyring" \
    "install the package debian-archive-keyring and run this again"
  mkdir -p "$PACKAGES_ROOT/lists/partial" "$PACKAGES_ROOT/cache/archives/partial"
  for suite in $BOOTSTRAP_SUITE $(printf '%s\n' "$codename" | grep -vx "$BOOTSTRAP_SUITE"); do
    printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite"
    printf 'deb [signed-by=%s] %s %s-security main\n' "$keyring" "${mirror%/debian}/debian-security" "$suite"
  done >"$PACKAGES_ROOT/sources.list"
  _private_apt update
}

# packages_ready: puts mmdebstrap on PATH, the host's own or one unpacked here.
packages_ready() {
  local codename
  if have mmdebstrap; then return; fi
  read -r _ codename < <(host_release)
  [ -s "$PACKAGES_ROOT/sources.list" ] || packages_refresh
  [ -x "$PACKAGES_ROOT/tools/usr/bin/mmdebstrap" ] ||
    packages_unpack "$PACKAGES_ROOT/tools" "mmdebstrap/$codename"
  export PATH="$PACKAGES_ROOT/tools/usr/bin:$PATH"
}

# packages_unpack FOLDER SPEC...: downloads packages (apt's NAME=VERSION or NAME/SUITE) and unpacks
# them into FOLDER. Nothing is installed. If a package is missing, apt's own line names it.
packages_unpack() {
  local folder=$1 debs deb
  shift
  debs=$(mktemp -d)
  # All in one call: each call reads the indexes again, which takes seconds.
  (cd "$debs" && _private_apt download "$@") || {
    rm -rf "$debs"
    die "a Debian package could not be downloaded; apt names it above" \
      "if the mirror no longer has that version, change the pin in bootstrap/engine.sh"
  }
  mkdir -p "$folder"
  for deb in "$debs"/*.deb; do
    dpkg -x "$deb" "$folder"
  done
  rm -rf "$debs"
}
