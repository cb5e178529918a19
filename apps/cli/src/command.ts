import { Command as CommanderCommand } from "commander";

/**
 * A commander command with podman's syntax of flags: a switch takes `=true` or `=false`, and the flags of a command that runs a user's
 * command end at the first operand.
 */
export class Command extends CommanderCommand {
  #stopsAtOperand = false;

  constructor(name?: string) {
    super(name);
    this.configureHelp({
      // Commander would print "(default: false)" for every switch and "(default: [])" for every list.
      optionDescription: ({ description, defaultValue }) =>
        typeof defaultValue === "string"
          ? `${description} (default: ${defaultValue})`
          : description,
    });
  }

  /** Adds a flag that may be given more than once. */
  listOption(flags: string, description: string): this {
    return this.option(flags, description, (value: string, all: string[]) => [...all, value], []);
  }

  override passThroughOptions(passThrough = true): this {
    this.#stopsAtOperand = passThrough;
    return super.passThroughOptions(passThrough);
  }

  override createCommand(name?: string): Command {
    return new Command(name);
  }

  override parseOptions(argv: string[]): ReturnType<CommanderCommand["parseOptions"]> {
    return super.parseOptions(this.#withPlainFlags(argv));
  }

  #withPlainFlags(argv: readonly string[]): string[] {
    const plain: string[] = [];
    for (let index = 0; index < argv.length; index++) {
      const argument = argv[index] ?? "";
      const isOperand = !argument.startsWith("-") || argument === "-";
      if (argument === "--" || (isOperand && this.#stopsAtOperand)) {
        return [...plain, ...argv.slice(index)];
      }
      plain.push(...this.#plainFlag(argument));
      const value = argv[index + 1];
      if (value !== undefined && this.#takesNextArgument(argument)) {
        plain.push(value);
        index++;
      }
    }
    return plain;
  }

  /** Rewrites `--rm=true` to `--rm`, `--rm=false` to nothing, `--sig-proxy=false` to `--no-sig-proxy`, `-t=5` to `-t 5`. */
  #plainFlag(argument: string): string[] {
    const [, flag = "", value = ""] = /^(--[a-z-]+|-[a-zA-Z])=(.*)$/s.exec(argument) ?? [];
    const negation = flag.replace(/^--/, "--no-");
    const option = this.options.find(({ short, long }) => [short, long].includes(flag));
    const negated = this.options.some(({ long }) => long === negation);
    if (option?.required) return [flag, value];
    if ((!option && !negated) || !["true", "false"].includes(value)) return [argument];
    if (value === "true") return negated ? [] : [flag];
    return negated ? [negation] : [];
  }

  #takesNextArgument(argument: string): boolean {
    if (argument.startsWith("--")) {
      return this.options.some((option) => option.long === argument && option.required);
    }
    if (!argument.startsWith("-")) return false;
    const letters = argument.slice(1).split("");
    const valued = letters.findIndex((letter) =>
      this.options.some((option) => option.short === `-${letter}` && option.required),
    );
    return valued >= 0 && valued === letters.length - 1;
  }
}
