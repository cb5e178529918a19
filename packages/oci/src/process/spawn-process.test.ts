import { open, readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";

import { expect, test } from "vitest";

import { type Descriptor, spawnProcess } from "./spawn-process.ts";

const env = { PATH: "/usr/bin:/bin", GREETING: "hello" };

/** Runs a shell script; gives what it wrote to each pipe, and its end. */
async function run(
  script: string,
  descriptors: readonly Descriptor[],
  more: { readonly cwd?: string; readonly session?: boolean } = {},
) {
  const child = spawnProcess("/bin/sh", ["-c", script], { env, descriptors, ...more });
  const outputs = [...child.pipes].filter(([at]) => descriptors[at] === "writes");
  const written = await Promise.all(
    outputs.map(async ([at, pipe]) => [at, await text(pipe)] as const),
  );
  return { pid: child.pid, written: Object.fromEntries(written), end: await child.reap() };
}

test("each descriptor is what it was said to be", async () => {
  await using file = await open("/etc/hostname");
  const script = "echo out; echo err >&2; cat <&4; cat; readlink /proc/self/fd/0 >&3; exit 3";
  const { written, end } = await run(script, ["null", "writes", "writes", "writes", file.fd]);
  expect(written).toEqual({
    1: `out\n${await readFile("/etc/hostname", "utf8")}`,
    2: "err\n",
    3: "/dev/null\n",
  });
  expect(end).toEqual({ exitCode: 3, signal: undefined });
});

test("descriptors that stand in each other's way arrive all the same", async () => {
  await using first = await open("/etc/hostname");
  await using second = await open("/etc/passwd");
  // Our own numbers of them are likely targets of each other.
  const script = "readlink /proc/self/fd/3 /proc/self/fd/4 /proc/self/fd/5";
  const descriptors = ["null", "writes", "null", second.fd, first.fd, second.fd] as const;
  const { written } = await run(script, descriptors);
  expect(written[1]).toBe("/etc/passwd\n/etc/hostname\n/etc/passwd\n");
});

test("what is written to it arrives, and the end of it", async () => {
  const child = spawnProcess("/bin/cat", [], { env, descriptors: ["reads", "writes", "null"] });
  child.pipes.get(0)?.end("to and fro");
  const output = child.pipes.get(1);
  expect(output && (await text(output))).toBe("to and fro");
  expect(await child.reap()).toEqual({ exitCode: 0, signal: undefined });
});

test("no signal is ignored or blocked, though Node ignores SIGPIPE", async () => {
  const script = "grep -E '^Sig(Blk|Ign)' /proc/self/status";
  const { written } = await run(script, ["null", "writes", "null"]);
  expect(written[1]).toBe("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
});

test("environment, working directory and session", async () => {
  const script = 'echo "$GREETING $PWD"; cut -d" " -f1,5,6 /proc/$$/stat';
  const options = { cwd: "/usr", session: true };
  const { pid, written } = await run(script, ["null", "writes", "null"], options);
  expect(written[1]).toBe(`hello /usr\n${pid} ${pid} ${pid}\n`);
});

test("an end by a signal", async () => {
  const { end } = await run("kill -KILL $$", ["null", "null", "null"]);
  expect(end).toEqual({ exitCode: undefined, signal: 9 });
});

test.each([
  ["/no/such/program", "ENOENT"],
  ["/etc/passwd", "EACCES"],
])("%s cannot be run: %s", (file, errno) => {
  const spawning = () => spawnProcess(file, [], { env, descriptors: ["null", "writes"] });
  expect(spawning).toThrow(`Cannot run "${file}": ${errno}`);
});
