import type { CommandShape, OptionShape } from "./shape.ts";

/** A completion script for fish. */
export function fishScript(shapes: readonly CommandShape[]): string {
  return `# fish completion for podfleet: podfleet completion fish | source
function __podfleet_path
    set -l path
    for word in (commandline -opc)[2..-1]
        if contains -- "$path $word" ${shapes.map(({ path }) => quoted(path && ` ${path}`)).join(" ")}
            set path "$path $word"
        end
    end
    string trim -- "$path"
end

function __podfleet_at
    test (__podfleet_path) = "$argv[1]"
end

complete -c podfleet -f
${shapes.flatMap(linesOf).join("\n")}
`;
}

function linesOf({ path, commands, options, operands }: CommandShape): string[] {
  const at = `complete -c podfleet -n ${quoted(`__podfleet_at "${path}"`)}`;
  return [
    ...commands.map(({ name, description }) => `${at} -a ${name} -d ${quoted(description)}`),
    ...options.map((option) => `${at} ${optionWords(option)}`),
    ...(operands ? [`${at} -a "(podfleet __complete ${operands} 2>/dev/null)"`] : []),
  ];
}

function optionWords({ flags, description, takesValue, value }: OptionShape): string {
  const names = flags.map((flag) =>
    flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
  );
  const candidates =
    value && value !== "file" ? ` -a "(podfleet __complete ${value} 2>/dev/null)"` : "";
  const argument = value === "file" ? " -r -F" : ` -x${candidates}`;
  return `${names.join(" ")} -d ${quoted(description)}${takesValue ? argument : ""}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
