# shellcheck shell=bash
# The stack's images, with the base images they need. Needs the other bootstrap files.

# build_images: base images that are missing, then the stack's own. Building Ollama takes longest,
# so it runs beside everything that does not need it.
build_images() {
  local missing image services ollama_build=
  services=$(profile_services)
  # shellcheck disable=SC2086 # names of services have no blanks
  missing=$(images_missing $services)
  [ -z "$missing" ] || images_stand_in_base
  for image in $missing; do
    case $image in
      ollama/*)
        _build_stand_in "$image" "from source, beside the rest (about 5 minutes)" &
        ollama_build=$!
        ;;
      *) _build_stand_in "$image" "from packages" ;;
    esac
  done
  # shellcheck disable=SC2086 # as above
  step build "building the stack's images" "the log names the failing line of a Dockerfile" \
    compose_build gateway postgres backend-stub $services
  [ -z "$ollama_build" ] || wait "$ollama_build" || die "the Ollama build failed" "see above; what was built is kept"
  step build-ollama "building the model server's image" "the log names the failing line of ollama/Dockerfile" \
    compose_build ollama
}

# compose_build SERVICE...: under one name for every project. Compose writes the project's name into the image, and
# makes the containers of another project anew that runs the same version.
compose_build() { docker compose --project-name litellm-proxy build "$@"; }

_build_stand_in() {
  step "$(image_folder "$1")" "building a stand-in for $1 $2" \
    "set up access to an image registry, or mend bootstrap/images/$(image_folder "$1")" image_stand_in "$1"
}
