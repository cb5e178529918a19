import type { CommandShape, OptionShape } from "./shape.ts";

/** A completion script for bash 4.4 and later. */
export function bashScript(shapes: readonly CommandShape[]): string {
  return `# bash completion for podfleet: source <(podfleet completion bash)
_podfleet_words() {
  case "$1" in
${shapes.map(wordsCase).join("\n")}
  esac
}

# Flags that take a value, with what the value is.
_podfleet_flag() {
  case "$1" in
${shapes.flatMap(flagCases).join("\n")}
  esac
}

_podfleet_operand() {
  case "$1" in
${shapes.flatMap(({ path, operands }) => (operands ? [`    "${path}") echo ${operands} ;;`] : [])).join("\n")}
  esac
}

_podfleet_kind() {
  case "$1" in
    file) mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
    none | "") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$(podfleet __complete "$1" 2>/dev/null)" -- "$2") ;;
  esac
}

_podfleet() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}" path="" word kind
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ " $(_podfleet_words "$path") " == *" $word "* && $word != -* ]] || continue
    path="\${path:+$path }$word"
  done
  COMPREPLY=()
  kind="$(_podfleet_flag "$path $previous")"
  if [[ -n $kind ]]; then
    _podfleet_kind "$kind" "$current"
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_podfleet_words "$path")" -- "$current")
  else
    kind="$(_podfleet_operand "$path")"
    if [[ -n $kind ]]; then
      _podfleet_kind "$kind" "$current"
    else
      mapfile -t COMPREPLY < <(compgen -W "$(_podfleet_words "$path" | sed 's/ -.*//')" -- "$current")
    fi
  fi
}

complete -F _podfleet podfleet
`;
}

function wordsCase({ path, commands, options }: CommandShape): string {
  const words = [...commands.map(({ name }) => name), ...options.flatMap(({ flags }) => flags)];
  return `    "${path}") echo "${words.join(" ")}" ;;`;
}

function flagCases({ path, options }: CommandShape): string[] {
  return options
    .filter(({ takesValue }) => takesValue)
    .map((option) => `    ${patternOf(path, option)}) echo ${option.value ?? "none"} ;;`);
}

function patternOf(path: string, { flags }: OptionShape): string {
  return flags.map((flag) => `"${path} ${flag}"`).join(" | ");
}
