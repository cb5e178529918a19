import { expect, test } from "vitest";

import { Command } from "./command.ts";

function parse(passThrough: boolean, ...argv: string[]) {
  const command = new Command("test")
    .option("-d, --detach", "", false)
    .option("-n, --name <name>", "")
    .option("--no-sig-proxy", "")
    .argument("[words...]")
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  if (passThrough) command.passThroughOptions();
  command.parse(argv, { from: "user" });
  return { ...command.opts<Record<string, unknown>>(), words: command.args };
}

test.each([
  [["--detach=true"], { detach: true }],
  [["--detach=false"], { detach: false }],
  [["--sig-proxy=false"], { sigProxy: false }],
  [["--sig-proxy=true"], { sigProxy: true }],
  [["--no-sig-proxy"], { sigProxy: false }],
  [["--name", "--detach=true"], { name: "--detach=true", detach: false }],
  [["-dn", "--detach=false"], { name: "--detach=false", detach: true }],
  [["-nd", "--detach=true"], { name: "d", detach: true }],
  [["--name=--detach=true"], { name: "--detach=true", detach: false }],
  [["-d=false", "-n=x=y"], { detach: false, name: "x=y" }],
  [["-d=true", "-n="], { detach: true, name: "" }],
  [["--", "--detach=true"], { detach: false, words: ["--detach=true"] }],
])("%j", (argv, expected) => {
  expect(parse(true, ...argv)).toMatchObject(expected);
});

test("switches after the first operand belong to the user's command, or not", () => {
  const argv = ["image", "--detach=true"];
  expect(parse(true, ...argv)).toMatchObject({ detach: false, words: argv });
  expect(parse(false, ...argv)).toMatchObject({ detach: true, words: ["image"] });
});

test.each(["--detach=maybe", "--nothing=true"])("%s is refused", (flag) => {
  expect(() => parse(true, flag)).toThrow("unknown option");
});
