import { buffer } from "node:stream/consumers";
import { setImmediate } from "node:timers/promises";

import { expect, test } from "vitest";

import { streamCommand } from "./stream-command.ts";

const never = new AbortController().signal;

function shell(script: string, signal = never) {
  return streamCommand("/bin/sh", ["-c", script], { spanName: "sh", signal });
}

test("what a tool writes comes in full, however late it is read", async () => {
  const stream = shell("head -c 3000000 /dev/zero");
  await setImmediate();
  await setImmediate();
  expect(await buffer(stream)).toHaveLength(3_000_000);
});

test("a tool that fails fails the stream with its last line", async () => {
  await expect(buffer(shell("echo some; echo reason >&2; exit 3"))).rejects.toMatchObject({
    code: "RUNTIME_FAILED",
    message: 'Cannot run "sh": reason',
  });
});

test("all that a tool has written comes before its failure, which may be none", async () => {
  const script = "head -c 3000000 /dev/zero; exit 1";
  const options = { spanName: "sh", signal: never, goodExitCodes: [1] };
  const stream = streamCommand("/bin/sh", ["-c", script], options);
  await setImmediate();
  expect(await buffer(stream)).toHaveLength(3_000_000);
});

test("a tool that is ended fails the stream", async () => {
  const end = new AbortController();
  const read = buffer(shell("echo some; exec sleep 60", end.signal));
  end.abort();
  await expect(read).rejects.toMatchObject({ code: "RUNTIME_FAILED" });
});
