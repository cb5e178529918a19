import type { CommandShape, OptionShape } from "./shape.ts";

/** A completion script for zsh. */
export function zshScript(shapes: readonly CommandShape[]): string {
  return `#compdef podfleet
# zsh completion for podfleet: podfleet completion zsh > "\${fpath[1]}/_podfleet"
# _arguments puts its own arguments before the kind.
_podfleet_kind() {
  local -a words
  words=(\${(f)"$(podfleet __complete $@[-1] 2>/dev/null)"})
  compadd "\${@[1,-2]}" -a words
}

${shapes.map(functionOf).join("\n\n")}

if [ "$funcstack[1]" = "_podfleet" ]; then
  _podfleet "$@"
else
  compdef _podfleet podfleet
fi
`;
}

function functionOf({ path, commands, options, operands }: CommandShape): string {
  const specs = options.flatMap(optionSpecs);
  const arguments_ = commands.length > 0 ? commandSpecs : operandSpecs(operands);
  const lines = [...specs, ...arguments_].map((spec) => `    ${spec}`).join(" \\\n");
  const body = `  local curcontext="$curcontext" state line\n  _arguments -C \\\n${lines}`;
  const choice = commands.length > 0 ? `\n${dispatch(path, commands)}` : "";
  return `${functionName(path)}() {\n${body}${choice}\n}`;
}

const commandSpecs = ["'1: :->command'", "'*:: :->arguments'"];

function operandSpecs(operands: CommandShape["operands"]): string[] {
  return [operands ? `'*:${operands}:_podfleet_kind ${operands}'` : "'*::argument: _files'"];
}

function dispatch(path: string, commands: CommandShape["commands"]): string {
  const described = commands.map(({ name, description }) => `'${name}:${escaped(description)}'`);
  const cases = commands.map(({ name }) => {
    const target = functionName(`${path} ${name}`.trim());
    return `        ${name}) ${target} ;;`;
  });
  return `  case $state in
    command)
      local -a commands=(${described.join(" ")})
      _describe command commands ;;
    arguments)
      case $line[1] in
${cases.join("\n")}
      esac ;;
  esac`;
}

function optionSpecs({ flags, description, takesValue, value }: OptionShape): string[] {
  const action = value === "file" ? "_files" : value ? `_podfleet_kind ${value}` : "";
  const argument = takesValue ? `:value:${action}` : "";
  return flags.map((flag) => `'*${flag}[${escaped(description)}]${argument}'`);
}

function functionName(path: string): string {
  return path === "" ? "_podfleet" : `_podfleet_${path.replaceAll(/[^a-z]/g, "_")}`;
}

function escaped(text: string): string {
  return text.replaceAll("'", "'\\''").replaceAll(/[[\]:]/g, "\\$&");
}
