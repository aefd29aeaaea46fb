# shellcheck shell=bash
# The commands that save the data and bring it back: backup and restore.

# backup [FILE] — write the database, the keys that decrypt it and the journal of costs into one file
# The stack keeps serving. FILE is backups/PROJECT-TIME.backup by default; it appears only when it is
# complete and was read back. With BACKUP_PASSPHRASE or BACKUP_PASSPHRASE_FILE it is encrypted.
backup() {
  local file=${1:-} partial
  _engine_required
  [ "$(_state postgres)" = healthy ] || die "the database is not running" "start the stack with './run up'"
  [ -n "$file" ] || file=$(_new_backup '')
  [ ! -e "$file" ] || die "$file already exists" "name another file"
  partial=$(dirname "$file")/.$(basename "$file").partial
  trap 'rm -f "$partial"' EXIT
  (umask 077 && : >"$partial") || die "cannot write to $(dirname "$file")" "name a file in a folder that you may write to"
  _archive create </dev/null >"$partial" || die "no backup was written" "fix what the lines above name, then run it again"
  _archive verify <"$partial" 2>/dev/null || die "the backup cannot be read back, and was removed" "check the disk of $(dirname "$file")"
  sync "$partial" 2>/dev/null || sync # macOS flushes everything or nothing
  mv "$partial" "$file" || die "$file cannot be written" "check the disk of $(dirname "$file")"
  trap - EXIT
  printf '%s\n' "$file"
}

# restore FILE [--replace] [--yes] — bring a backup back into a stack with an empty database
# The file is read to its end before anything is touched. --replace asks, then drops what the database
# and the journal hold; --yes does not ask. Start the stack with './run up' afterwards.
restore() {
  local file='' replace='' yes='' answer
  while [ $# -gt 0 ]; do
    case $1 in
      --replace) replace=yes ;;
      --yes) yes=yes ;;
      -*) die "restore does not know '$1'" "./run restore --help" ;;
      *) file=$1 ;;
    esac
    shift
  done
  [ -n "$file" ] || die "no file is named" "./run restore FILE; ./run backup writes them into backups/"
  [ -r "$file" ] || die "$file cannot be read" "name a file that ./run backup wrote"
  engine_ensure
  _images_exist || build_images
  _archive verify <"$file" || die "not restored" "the lines above say why"
  docker compose up --detach --no-build --wait postgres
  if [ -z "$replace" ]; then
    _archive vacant </dev/null || die "not restored" "the lines above say why"
  elif [ -z "$yes" ]; then
    say "this drops everything that the database and the journal of project $(_project) hold now"
    read -r -p "type the project's name to go on: " answer || answer=
    [ "$answer" = "$(_project)" ] || die "not restored" "the answer was not $(_project)"
  fi
  docker compose stop backend-stub litellm gateway
  _archive restore ${replace:+"--replace"} <"$file" || die "not restored" "the lines above say why; ./run up starts what was there"
  say "restored; start the stack with './run up'"
}

# _new_backup SUFFIX: a name in backups/, with the project and the time.
_new_backup() {
  mkdir -p backups
  printf 'backups/%s-%s%s.backup\n' "$(_project)" "$(date -u +%Y%m%dT%H%M%SZ)" "$1"
}

# _archive VERB: the gateway's own backup program, by standard input and output, on the stack's volumes.
_archive() { docker compose run --rm --no-deps --no-TTY --quiet-pull backup "$@"; }

_images_exist() {
  local image
  for image in $(docker compose --profile backup config --images backup postgres); do
    image_present "$image" || return
  done
}
