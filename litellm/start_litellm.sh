#!/usr/bin/env bash
# The gateway without a container: makes its own Python environment and serves on this machine alone.
#
#   ./litellm/start_litellm.sh [OPTIONS] [COMMAND...]
#
#   --with-costs     keys, budgets and spend in an embedded PostgreSQL, kept in litellm/.data
#   --host ADDRESS   where to listen; anything but loopback wants LITELLM_MASTER_KEY
#   --port PORT      default LITELLM_PORT, or 4000
#   --pull           download a missing Ollama model without asking
#   --help           this text
#
# COMMAND is any of the gateway's (check, key, models, spend, …) with the same settings, instead of
# serving. Settings come from the shell and from .env in the repository's root, as for compose; local
# use needs none. DATABASE_URL takes a PostgreSQL of your own. PYTHON names the interpreter to use.
set -Eeuo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}" 2>/dev/null || printf '%s' "${BASH_SOURCE[0]}")")" && pwd)
venv="$here/.venv"
# shellcheck source=bootstrap/lib.sh
. "$here/../bootstrap/lib.sh"

# 3.13 first: LiteLLM's import takes a third as long there as on 3.11.
PYTHONS=(python3.13 python3.14 python3.12 python3.11 python3.10 python3 python)

main() {
  case ${1:-} in
    -h | --help)
      usage
      return
      ;;
  esac
  install_if_needed
  # The user's own PYTHONPATH could hold another litellm.
  export PYTHONPATH="$here/../gateway" PYTHONNOUSERSITE=1 PATH="$venv/bin:$PATH"
  exec "$venv/bin/python" -m gateway native "$@"
}

usage() { sed -nE '/^# The gateway/,/^set /s/^# ?//p' "${BASH_SOURCE[0]}"; }

# What the environment was made of. The path is part of it: an environment cannot be moved.
wanted() {
  printf '%s\n' "$venv"
  cat "$here/../gateway/requirements.txt"
}

install_if_needed() {
  [ ! -x "$venv/bin/python" ] || ! wanted | cmp -s - "$venv/installed" || return 0
  local python
  python=$(find_python)
  rm -rf "$venv"
  step native-venv "making litellm/.venv with $("$python" --version 2>&1)" \
    "the log says what is missing" "$python" -m venv "$venv"
  # --no-deps: the lock is complete, and the pip of Debian 12 stumbles over extras with hashes.
  # --no-compile: a start needs half of its files, and Python compiles those as it goes.
  step native-install "installing LiteLLM, about 900 MB on disk, once" \
    "no network, or no package index? set PIP_INDEX_URL to a mirror you can reach, then start again" \
    "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off --retries 2 \
    --no-compile --no-deps --require-hashes --requirement "$here/../gateway/requirements.txt"
  wanted >"$venv/installed"
}

# find_python: the first interpreter that is new enough and can make an environment.
find_python() {
  local candidate seen='' without_venv=''
  if [ -n "${PYTHON:-}" ]; then PYTHONS=("$PYTHON"); fi
  for candidate in "${PYTHONS[@]}"; do
    # Running it tells more than its name: pyenv has names for versions that are not installed.
    case $("$candidate" -c "$PROBE" 2>/dev/null) in
      ready)
        printf '%s\n' "$candidate"
        return
        ;;
      "old "*) seen="$seen${seen:+, }$candidate is $("$candidate" -c "$PROBE" | cut -d' ' -f2)" ;;
      "no venv") without_venv=${without_venv:-$candidate} ;;
    esac
  done
  if [ -n "$without_venv" ]; then
    die "$without_venv cannot make virtual environments" "on Debian or Ubuntu: sudo apt install python3-venv"
  fi
  die "Python 3.10 to 3.14 is needed; found ${seen:-none}" \
    "install one (3.13 starts fastest), or set PYTHON to the path of one"
}

PROBE='
import sys
if not (3, 10) <= sys.version_info[:2] < (3, 15):
    print("old %d.%d" % sys.version_info[:2])
    sys.exit()
try:
    import ensurepip, venv
    print("ready")
except ImportError:
    print("no venv")
'

main "$@"
