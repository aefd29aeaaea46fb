# shellcheck shell=bash
# What every part of the bootstrap shares: messages, logged steps with progress, the cache folder.
# ./run sources this file; it defines functions and two paths and does nothing by itself.

BOOTSTRAP_CACHE="${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/litellm-proxy-service"
BOOTSTRAP_LOGS="$BOOTSTRAP_CACHE/logs"

say() { printf '%s\n' "$*" >&2; }

# die WHAT TO_DO: says in one line what happened and in one what to do; exit code 1.
die() {
  say "error: $1"
  [ $# -lt 2 ] || say "  $2"
  exit 1
}

# step NAME WHAT HINT COMMAND...: runs COMMAND with its output in a log and shows that time passes. If it
# fails, shows the end of the log and HINT, and ends the run. Call it plainly, not in an `if` or before
# `||`: bash would ignore `set -e` inside COMMAND's functions there.
step() {
  local name=$1 what=$2 hint=$3 log started=$SECONDS rc=0 pid
  shift 3
  mkdir -p "$BOOTSTRAP_LOGS"
  log="$BOOTSTRAP_LOGS/$name.log"
  say "$what"
  "$@" >"$log" 2>&1 &
  pid=$!
  _watch "$name" "$pid" "$started"
  wait "$pid" || rc=$?
  if [ "$rc" -ne 0 ]; then
    tail -n 25 "$log" | sed 's/^/  | /' >&2
    die "$name failed after $((SECONDS - started)) s (exit code $rc); read the whole log: $log" "$hint"
  fi
  [ $((SECONDS - started)) -lt 2 ] || say "  $name: done in $((SECONDS - started)) s"
}

# _watch NAME PID STARTED: prints a line every 20 s while the process lives.
_watch() {
  local name=$1 pid=$2 started=$3 ticks=0
  while kill -0 "$pid" 2>/dev/null; do
    # `wait` with a timeout does not exist in bash 5.1; half-second polls keep short steps short.
    sleep 0.5
    ticks=$((ticks + 1))
    [ $((ticks % 40)) -ne 0 ] || say "  $name: still running, $((SECONDS - started)) s"
  done
}

have() { command -v "$1" >/dev/null 2>&1; }
