# shellcheck shell=bash
# The stack's images, with the base images they need. Needs the other bootstrap files.

# build_images: builds missing base images, then the stack's own. Ollama's build takes longest, so it
# runs in the background of everything that does not need it.
build_images() {
  local missing image services ollama_build=
  services=$(profile_services)
  # shellcheck disable=SC2086 # names of services have no blanks
  missing=$(images_missing $services)
  [ -z "$missing" ] || images_substitute_base
  for image in $missing; do
    case $image in
      ollama/*)
        _build_substitute "$image" "from source, in the background (about 5 minutes)" &
        ollama_build=$!
        ;;
      *) _build_substitute "$image" "from packages" ;;
    esac
  done
  # shellcheck disable=SC2086 # as above
  step build "building the stack's images" "the log names the failing line of a Dockerfile" \
    compose_build gateway postgres backend-stub $services
  [ -z "$ollama_build" ] || wait "$ollama_build" || die "the Ollama build failed" "the lines above say why; the images already built are kept"
  step build-ollama "building the model server's image" "the log names the failing line of ollama/Dockerfile" \
    compose_build ollama
}

# compose_build SERVICE...: builds under one project name. Compose writes that name into the image; a build under
# another name would recreate the containers of every project that runs the same version.
compose_build() { docker compose --project-name litellm-proxy build "$@"; }

_build_substitute() {
  step "$(image_folder "$1")" "building a substitute image for $1 $2" \
    "set up access to an image registry, or fix bootstrap/images/$(image_folder "$1")" image_substitute "$1"
}
