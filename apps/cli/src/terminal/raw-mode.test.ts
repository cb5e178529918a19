import { join } from "node:path";

import { TestTerminal } from "@podfleet/testkit/test-terminal";
import { describe, expect, test } from "vitest";

const module = join(import.meta.dirname, "raw-mode.ts");

/** Starts a shell on a terminal that prints the settings of the terminal before and after a program uses raw mode. */
function terminalWith(program: string): TestTerminal {
  const script = `
    import { RawMode } from ${JSON.stringify(module)};
    const raw = new RawMode(process.stdin);
    process.stdin.resume();
    process.stdout.write("raw\\n");
    ${program}
  `;
  const line = `stty -a; "$NODE" --input-type=module -e "$SCRIPT"; echo "[ended $?]"; stty -a; echo over`;
  return new TestTerminal({
    command: ["/bin/sh", "-c", line],
    env: { PATH: "/bin:/usr/bin", NODE: process.execPath, SCRIPT: script },
  });
}

/** @returns each output of `stty -a` */
function settings(text: string): string[] {
  return text.match(/speed [^]*?-extproc/g) ?? [];
}

describe("the terminal is as it was before", () => {
  test.each([
    ["a normal end", "raw[Symbol.dispose](); process.exit(3);", 3],
    ["process.exit", "process.exit(4);", 4],
    ["an exception", "setTimeout(() => { throw new Error('crash'); });", 1],
    ["a rejection", "void Promise.reject(new Error('crash'));", 1],
    ["SIGTERM", "process.kill(process.pid, 'SIGTERM');", 143],
    ["SIGINT", "process.kill(process.pid, 'SIGINT');", 130],
    ["SIGHUP", "process.kill(process.pid, 'SIGHUP');", 129],
    ["SIGQUIT", "process.kill(process.pid, 'SIGQUIT');", 131],
  ])("after %s", async (_what, program, exitCode) => {
    await using terminal = terminalWith(program);
    await terminal.printed(/over/);
    expect(terminal.text).toMatch(new RegExp(`raw\n[^]*\\[ended ${exitCode}\\]`));
    const [before, after] = settings(terminal.text);
    expect(after).toBe(before);
  });
});

test("keys arrive as they are typed, and output is not changed", async () => {
  const echo = `
    process.stdin.on("data", (keys) => {
      process.stdout.write(keys.toString("hex") + "\\n");
      if (keys.includes("q")) { raw[Symbol.dispose](); process.exit(0); }
    });
  `;
  await using terminal = terminalWith(echo);
  await terminal.printed(/raw\n$/);
  for (const key of ["\u0003", "\u001a", "\r", "\u0013", "\u0011", "q"]) {
    const from = terminal.text.length;
    terminal.type(key);
    const hex = Buffer.from(key).toString("hex");
    await terminal.printed(new RegExp(`^${hex}\n`), { from });
  }
  await terminal.printed(/over/);
  expect(terminal.text).toContain("[ended 0]");
});
