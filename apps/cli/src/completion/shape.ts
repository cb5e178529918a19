/** Commands, flags and operands for completion scripts, read from commander's tree. */
import type { Command } from "commander";

/** Kinds of words that `podfleet __complete KIND` gets from the control plane. */
export const completedKinds = ["container", "host", "operation", "image", "session"] as const;
export type CompletedKind = (typeof completedKinds)[number];

export interface CommandShape {
  /** Words after `podfleet`: `image load`; empty for podfleet itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly OptionShape[];
  /** Kind of the operands; undefined when they cannot be completed. */
  readonly operands: CompletedKind | undefined;
}

export interface OptionShape {
  /** `--name`, and `-n` if it has a short form. */
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  readonly value: CompletedKind | "file" | undefined;
}

export function commandShapes(program: Command): CommandShape[] {
  return shapesBelow(program, "");
}

function shapesBelow(command: Command, path: string): CommandShape[] {
  const help = command.createHelp();
  const children = help.visibleCommands(command).filter((child) => child.name() !== "help");
  const shape: CommandShape = {
    path,
    commands: children.map((child) => ({
      name: child.name(),
      description: child.summary() || child.description(),
    })),
    options: help.visibleOptions(command).map((option) => ({
      flags: [option.long, option.short].filter((flag) => flag !== undefined),
      description: firstClause(option.description),
      takesValue: option.required,
      value: /<file>/.test(option.flags) ? "file" : kindOfOption(option.long ?? ""),
    })),
    operands: completedKinds.find((kind) => kind === command.registeredArguments[0]?.name()),
  };
  const below = children.flatMap((child) => shapesBelow(child, `${path} ${child.name()}`.trim()));
  return [shape, ...below];
}

function kindOfOption(long: string): CompletedKind | undefined {
  return { "--host": "host", "--container": "container", "--requires": "container" }[long] as
    | CompletedKind
    | undefined;
}

function firstClause(text: string): string {
  return text.split(/[.;:](?: |$)/)[0] ?? text;
}
