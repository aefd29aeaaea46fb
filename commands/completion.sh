# shellcheck shell=bash
# Shell completion, generated from the same comments as the help.

# completion bash|zsh — print the tab completion for a shell: source <(./run completion bash)
completion() {
  case ${1:-} in
    bash) _completion_for_bash ;;
    zsh) _completion_for_zsh ;;
    *) die "there is no completion for '${1:-}'" "./run completion bash, or zsh" ;;
  esac
}

# _words_of COMMAND: its subcommands and options, taken from its help: the lower-case words of the usage
# line, the first word after each | of an indented line, and every word that begins with --.
_words_of() {
  _help_of "$1" | awk '
    function add(word) { if (word != "" && !seen[word]++) printf "%s ", word }
    /^usage: / {
      for (i = 4; i <= NF; i++) {
        gsub(/[][]/, "", $i)
        if ($i ~ /^[a-z]+([|][a-z]+)*$/) { n = split($i, words, "|"); for (j = 1; j <= n; j++) add(words[j]) }
      }
    }
    /^    [a-z]/ {
      n = split($0, parts, "|")
      for (i = 1; i <= n; i++) { split(parts[i], words, " "); add(words[1]) }
    }
    {
      rest = $0
      while (match(rest, /--[a-z][a-z-]*/)) {
        add(substr(rest, RSTART, RLENGTH))
        rest = substr(rest, RSTART + RLENGTH)
      }
    }
    END { add("--help") }
  '
}

_completion_for_bash() {
  local command
  cat <<END
_litellm_proxy_run() {
  local words=
  if [ "\$COMP_CWORD" -eq 1 ]; then
    words="$(_commands)"
  else
    case \${COMP_WORDS[1]} in
$(for command in $(_commands); do printf '      %s) words="%s" ;;\n' "$command" "$(_words_of "$command")"; done)
    esac
  fi
  COMPREPLY=(\$(compgen -W "\$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _litellm_proxy_run run
END
}

_completion_for_zsh() {
  local command
  cat <<END
_litellm_proxy_run() {
  local -a commands
  if (( CURRENT == 2 )); then
    commands=(
$(_usages | awk -F'\t' -v quote="'" '
    { split($1, words, " ") }
    !seen[words[1]]++ { gsub(quote, "", $2); printf "      %s%s:%s%s\n", quote, words[1], $2, quote }
  ')
    )
    _describe command commands
    return
  fi
  case \$words[2] in
$(for command in $(_commands); do printf '    %s) compadd -- %s;;\n' "$command" "$(_words_of "$command")"; done)
  esac
}
compdef _litellm_proxy_run run
END
}
