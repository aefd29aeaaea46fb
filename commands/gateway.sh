# shellcheck shell=bash
# The commands that run inside the gateway's or the backend's container.

# key [--master | COMMAND] — print what a client needs to call the API; manage keys for people and programs
#   create NAME --budget USD [--duration 30d] [--models A,B] [--rpm N] [--tpm N] [--expires 30d]
#   list | block NAME | unblock NAME | delete NAME | rotate NAME
# Each of them takes --json and --help. create and rotate show the secret, once.
key() { _gateway key --base-url "http://$(_gateway_address)" "$@"; }

# spend [OPTIONS | role NAME] — report what the requests cost, as a table, JSON, CSV or chart
#   --by day,alias,model,key   --days N | --month 2026-11 | --from DATE --to DATE
#   --format table|json|csv    --chart FILE.svg
#   role NAME [--drop]: a role for a BI tool, which reads the report views and nothing else
spend() {
  local chart='' arguments=()
  if [ "${1:-}" = role ]; then
    shift
    _spend_role "$@"
    return
  fi
  while [ $# -gt 0 ]; do
    case $1 in
      --chart)
        chart=${2:-}
        [ -n "$chart" ] || die "--chart needs a file" "name one that ends in .svg"
        shift
        ;;
      --chart=*) chart=${1#--chart=} ;;
      *) arguments+=("$1") ;;
    esac
    shift
  done
  _gateway spend ${arguments[@]+"${arguments[@]}"}
  [ -z "$chart" ] || _spend_chart "$chart" ${arguments[@]+"${arguments[@]}"}
}

# _spend_chart FILE ARGS...: the same report as a picture.
_spend_chart() {
  local file=$1
  shift
  [ "${file%.svg}" != "$file" ] || die "a chart is an SVG file, but '$file' does not end in .svg" "name it FILE.svg"
  _gateway spend "$@" --format svg >"$file.new" || {
    rm -f "$file.new"
    return 1
  }
  mv "$file.new" "$file"
  say "chart: $file"
}

# _spend_role NAME [--drop]: only the database's superuser may make roles, and only postgres has its password.
_spend_role() {
  _engine_required
  docker compose exec --no-TTY postgres postgres-report-role "$@"
}

# ask QUESTION [--model ALIAS] — stream a model's answer, then its tokens, cost, seconds and which model answered
# The question may come from a pipe, or from stdin for `-`. The default model is explanation-model.
ask() { _gateway ask "$@"; }

# models [--json] [--probe] — list every model: price, context, key, reachability, cooldown, and whose fallback it is
#   --probe also makes one paid call of one token to each, and says beforehand what they cost at most.
# models evaluate MODEL [--json] — evaluate a model on the German sentences: precision, recall, valid JSON
# The result of a whole run is kept; ./run status shows it.
models() {
  local piped=
  case ${1:-} in
    evaluate) ;;
    gate) say "'./run models gate' is now './run models evaluate'; the old name works until 0.3" ;;
    *)
      _gateway models "$@"
      return
      ;;
  esac
  shift
  _engine_required
  [ -t 1 ] || piped=yes
  docker compose exec ${piped:+"--no-TTY"} backend-stub python -m backend_stub.evaluation "$@"
}

# journal import FILE... — bring the journal of a lost machine into the database; nothing is counted twice
#   FILE is a .journal file, or a folder of them: the machine's volume gateway-journal, or what a disk or a backup still
#   has of it. Name all files of a gateway, and do not rename them: their names give the order.
# The exit code is 1 if lines are damaged; everything else is imported, and file and line are named.
journal() {
  local file files
  [ "${1:-}" = import ] || die "journal does not know '${1:-}'" "./run journal --help"
  shift
  [ $# -gt 0 ] || die "no file is named" "./run journal --help"
  for file; do
    [ -r "$file" ] || die "$file cannot be read" "name a .journal file, or a folder that holds some"
    files=$(find "$file" -type f -name '*.journal' | LC_ALL=C sort)
    [ -n "$files" ] || die "$file holds no .journal file" "keep the names that the journal gave them, 000000000001.journal"
  done
  find "$@" -type f -name '*.journal' | LC_ALL=C sort | tar -cPf - -T - | _gateway journal import
}

# check — check .env and litellm_config.yaml without starting anything
check() {
  _engine_required
  docker compose run --rm --no-deps --quiet-pull -T gateway check "$@"
}
