import { expect, test } from "vitest";

import type { Command } from "./command.ts";
import { bashScript } from "./completion/bash.ts";
import { fishScript } from "./completion/fish.ts";
import { commandShapes } from "./completion/shape.ts";
import { zshScript } from "./completion/zsh.ts";
import { buildProgram } from "./program.ts";
import { Shell } from "./shell.ts";
import { pathOf } from "./verb.ts";

const output = {
  isTerminal: false,
  columns: undefined,
  write: async () => undefined,
  print: async () => undefined,
};
const unset = { url: undefined, token: undefined, detachKeys: undefined };
const config = { contextPath: "/nowhere", ...unset, environment: {} };
const program = buildProgram(new Shell({ config, stdout: output, stderr: output }));

function leaves(command: Command): Command[] {
  const children = command.commands as Command[];
  if (children.length === 0) return [command];
  return children.filter((child) => child.name() !== "__complete").flatMap(leaves);
}

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

test.each(leaves(program).map((command) => [pathOf(command), command] as const))(
  "%s says what it does, with examples of itself",
  (path, command) => {
    const help = helpOf(command);
    expect(command.description()).not.toBe("");
    expect(help).toMatch(/\nExamples:\n {2}podfleet /);
    const words = path.split(" ").slice(-1)[0] ?? "";
    expect(help.slice(help.indexOf("\nExamples:"))).toContain(words);
    expect(help).not.toMatch(/default: (false|\[\])/);
  },
);

test("podman's verbs are there at the top and below their noun", () => {
  const names = (command: Command): string[] =>
    command.commands.flatMap((child) => [child.name(), ...child.aliases()]);
  const top = names(program);
  const verbs =
    "attach create exec init inspect kill logs pause ps rename restart rm run start stop unpause update wait".split(
      " ",
    );
  const container = program.commands.find((command) => command.name() === "container");
  expect(top).toEqual(expect.arrayContaining([...verbs, "events", "images", "info", "load"]));
  expect(names(container as Command)).toEqual(expect.arrayContaining([...verbs, "ls", "list"]));
});

test("completion knows every command and flag, and what names stand for", () => {
  const shapes = commandShapes(program);
  const shape = (path: string) => shapes.find((each) => each.path === path);
  expect(shape("stop")?.operands).toBe("container");
  expect(shape("host inspect")?.operands).toBe("host");
  expect(shape("trace")?.operands).toBe("operation");
  expect(shape("session resume")?.operands).toBe("session");
  expect(shape("run")?.operands).toBe("image");
  const flags = shape("run")?.options ?? [];
  expect(flags.find((flag) => flag.flags.includes("--host"))).toMatchObject({ value: "host" });
  expect(flags.find((flag) => flag.flags.includes("--cidfile"))).toMatchObject({ value: "file" });
  expect(shape("")?.commands.map(({ name }) => name)).not.toContain("__complete");
  for (const script of [bashScript, zshScript, fishScript]) {
    const text = script(shapes);
    for (const { commands } of shapes) {
      for (const { name } of commands) expect(text).toContain(name);
    }
  }
});
