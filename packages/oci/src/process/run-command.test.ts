import { readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";

import { hasCode } from "@podfleet/model/errors";
import { createTempRoot } from "@podfleet/testkit/temp-root";
import { waitFor } from "@podfleet/testkit/wait-for";
import { expect, test } from "vitest";

import { findTool, lastLine, runCommand } from "./run-command.ts";

const options = { timeoutMs: 20_000, spanName: "test" };

/** Tools run in two ways, with input and without; both promise the same. */
const ways = [
  ["alone", {}],
  ["with text as input", { input: "typed" }],
  ["with a stream as input", { input: Readable.from(["ty", "ped"]) }],
] as const;

test.each(ways)(
  "%s: output of both streams, the input arrives",
  async (_name, { input }: { input?: string | Readable }) => {
    const script = "cat; echo out; echo err >&2";
    const result = await runCommand("sh", ["-c", script], {
      ...options,
      ...(input === undefined ? {} : { input }),
    });
    expect(result.stdout).toBe(input === undefined ? "out" : "typedout");
    expect(result.stderr.trim()).toBe("err");
  },
);

test.each([
  ["alone", {}],
  ["with input", { input: "x" }],
])(
  "%s: a failure has the last line, the exit code and all of standard error",
  async (_name, more) => {
    const running = runCommand("sh", ["-c", "echo first >&2; echo why >&2; exit 3"], {
      ...options,
      ...more,
    });
    await expect(running).rejects.toMatchObject({
      code: "RUNTIME_FAILED",
      message: 'Cannot run "test": why',
      details: { exitCode: 3 },
    });
  },
);

test.each([
  ["alone", {}],
  ["with input", { input: "x" }],
])("%s: a tool past its deadline is killed", async (_name, more) => {
  const running = runCommand("sleep", ["100"], { ...options, ...more, timeoutMs: 50 });
  await expect(running).rejects.toMatchObject({
    code: "RUNTIME_TIMEOUT",
    message: 'Cannot finish "test": no end within 50 ms',
  });
});

test.each([
  ["alone", {}],
  ["with input", { input: "x" }],
])("%s: too much output is a failure, not a timeout", async (_name, more) => {
  const running = runCommand("yes", [], { ...options, ...more, maxBuffer: 1_000 });
  await expect(running).rejects.toSatisfy((error) => hasCode(error, "RUNTIME_FAILED"));
});

test.each([
  ["alone", {}],
  ["with input", { input: "x" }],
])("%s: a tool that is not there", async (_name, more) => {
  const running = runCommand("/no/such-tool", [], { ...options, ...more });
  await expect(running).rejects.toThrow(/no\/such-tool.*ENOENT/);
});

test("tools that linger when their output has ended keep no thread: files can be read meanwhile", async () => {
  await using root = await createTempRoot("lingering");
  const silent = 'exec >&- 2>&-; : > "$0/$1"; until [ -e "$0/go" ]; do sleep 0.02; done; exit 3';
  const lingering = Array.from({ length: 8 }, (_, index) =>
    runCommand("sh", ["-c", silent, root.path, String(index)], options),
  );
  const ended = Promise.allSettled(lingering);
  // Their pipes have ended then, and they have not.
  await waitFor(() => readdirSync(root.path).length === 8, { what: "silence" });
  for (let count = 0; count < 200; count += 1) await readFile("/proc/self/stat");
  await writeFile(join(root.path, "go"), "");
  // Not one was killed for its time.
  for (const outcome of await ended) {
    expect(outcome).toMatchObject({ reason: { code: "RUNTIME_FAILED", details: { exitCode: 3 } } });
  }
});

test("a tool is found by its absolute path, or named", () => {
  expect(findTool("sh")).toMatch(/^\/.*\/sh$/);
  expect(() => findTool("no-such-tool")).toThrow('Cannot find "no-such-tool"');
});

test("the reason is the last line that says something", () => {
  const mount =
    "mount: /x: wrong fs type.\n       dmesg(1) may have more information after failed mount system call.\n";
  expect(lastLine(mount)).toBe("mount: /x: wrong fs type.");
  expect(lastLine("one\ntwo\n\n")).toBe("two");
  expect(lastLine(undefined)).toBe("");
});
