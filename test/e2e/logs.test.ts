/** Logs of containers, by the CLI. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import type { LogRecord } from "@podfleet/client/logs";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({
    hosts: 1,
    agentEnv: { PODFLEET_JOURNAL_BYTES_MAX: String(4 * 1024 ** 2) },
  });
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

async function logs(...words: string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await fleet.cli(["logs", ...words]);
  expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
  return stdout;
}

/** Runs a shell script to its end. */
async function job(name: string, script: string, wish: { readonly tty?: boolean } = {}) {
  await runContainer(fleet.client, { name, command: ["sh", "-c", script], ...wish });
  await fleet.client.wait({ container: name });
}

async function recordsOf(container: string): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const record of fleet.client.followLogs({ container })) records.push(record);
  return records;
}

function textOf(records: readonly LogRecord[]): string {
  return records
    .map(({ bytes, endsLine }) => `${Buffer.from(bytes).toString()}${endsLine ? "\n" : ""}`)
    .join("");
}

describe("L1: 10,000 lines on each stream", () => {
  beforeAll(async () => {
    await job("lines", "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); echo o$i; echo e$i >&2; done");
  });

  test("both come in full, each to its descriptor", async () => {
    const { stdout, stderr } = await fleet.cli(["logs", "lines"]);
    const numbers = Array.from({ length: 10_000 }, (_, index) => index + 1);
    expect(stdout === numbers.map((number) => `o${number}\n`).join("")).toBe(true);
    expect(stderr === numbers.map((number) => `e${number}\n`).join("")).toBe(true);
  });

  test("on one descriptor they come in the order in which they were written", async () => {
    const file = join(fleet.root, "both.txt");
    await using terminal = fleet.terminal(`podfleet logs lines > ${file} 2>&1`);
    expect(await terminal.ended()).toBe(0);
    expect((await readFile(file, "utf8")) === textOf(await recordsOf("lines"))).toBe(true);
  });

  test("--tail gives the last lines of both together", async () => {
    const last = (await recordsOf("lines")).slice(-5);
    const { stdout, stderr } = await fleet.cli(["logs", "--tail", "5", "lines"]);
    expect(stdout).toBe(textOf(last.filter(({ stream }) => stream === "stdout")));
    expect(stderr).toBe(textOf(last.filter(({ stream }) => stream === "stderr")));
    expect(await logs("--tail", "0", "lines")).toBe("");
    expect((await fleet.cli(["logs", "--tail", "-1", "lines"])).stdout).toMatch(/^o1\n/);
  });

  test("--since and --until are exact to the nanosecond", async () => {
    const records = await recordsOf("lines");
    const [from, to] = [records[7_001]?.timestamp ?? "", records[12_345]?.timestamp ?? ""];
    // Several records may have the same time.
    const between = records.filter(({ timestamp }) => timestamp >= from && timestamp < to);
    const flags = ["--since", from, "--until", to, "lines"];
    const { stdout, stderr } = await fleet.cli(["logs", ...flags]);
    expect(stdout).toBe(textOf(between.filter(({ stream }) => stream === "stdout")));
    expect(stderr).toBe(textOf(between.filter(({ stream }) => stream === "stderr")));
  });

  test("--timestamps puts each line's own time before it", async () => {
    const last = (await recordsOf("lines")).slice(-4);
    const { stdout, stderr } = await fleet.cli(["logs", "-t", "--tail", "4", "lines"]);
    const lines = last.map((record) => `${record.timestamp} ${textOf([record])}`);
    expect((stdout + stderr).split("\n").toSorted()).toEqual(lines.join("").split("\n").toSorted());
  });
});

describe("L2: --follow", () => {
  test("ends with the last line when the container ends", async () => {
    const script = "for i in 1 2 3 4; do echo line $i; sleep 0.3; done; echo last";
    await runContainer(fleet.client, { name: "slow", command: ["sh", "-c", script] });
    expect(await logs("--follow", "slow")).toBe("line 1\nline 2\nline 3\nline 4\nlast\n");
    expect(await logs("-f", "--tail", "2", "slow")).toBe("line 4\nlast\n");
  });

  test("O147: of a container that writes nothing stays open until that ends", async () => {
    const script = "until [ -e /go ]; do sleep 0.05; done";
    await runContainer(fleet.client, { name: "quiet", command: ["sh", "-c", script] });
    let isOver = false;
    const following = logs("-f", "quiet").finally(() => {
      isOver = true;
    });
    // Logs without `--follow` end while the followed ones are open.
    expect(await logs("quiet")).toBe("");
    expect(isOver).toBe(false);
    await fleet.cli(["exec", "quiet", "touch", "/go"]);
    expect(await following).toBe("");
  });

  test("--until ends it when the time has come, though the container runs on", async () => {
    const script = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done";
    await runContainer(fleet.client, { name: "endless", command: ["sh", "-c", script] });
    const until = new Date(Date.now() + 1_500).toISOString();
    const lines = (await logs("-f", "--until", until, "endless")).trimEnd().split("\n");
    const records = await recordsOf("endless");
    const expected = records.filter(({ timestamp }) => Date.parse(timestamp) < Date.parse(until));
    expect(lines).toEqual(textOf(expected).trimEnd().split("\n"));
    await fleet.cli(["rm", "-f", "endless"]);
  });
});

test("L3: a last line without a newline is as it was written", async () => {
  await job("unfinished", "echo first; printf second");
  expect(await logs("unfinished")).toBe("first\nsecond");
  expect(await logs("--tail", "1", "unfinished")).toBe("second");
});

test("L4: of a container that was removed or never was", async () => {
  await job("removed", "echo x");
  await fleet.cli(["rm", "removed"]);
  for (const name of ["removed", "nobody"]) {
    const result = await fleet.cli(["logs", name]);
    expect(result).toMatchObject({ stdout: "", exitCode: 125 });
    expect(result.stderr).toMatch(new RegExp(`^Error: .*"${name}"`));
  }
});

describe("O146: streams", () => {
  const script = "echo out; echo err >&2; printf end";

  test("without a terminal they are two", async () => {
    await job("two", script);
    const { stdout, stderr } = await fleet.cli(["logs", "two"]);
    expect({ stdout, stderr }).toEqual({ stdout: "out\nend", stderr: "err\n" });
  });

  test("with a terminal they are one", async () => {
    await job("one", script, { tty: true });
    expect(await logs("one")).toBe("out\r\nerr\r\nend");
  });
});

test("a closed pipe ends it, as it ends other programs", async () => {
  const env = { PODFLEET_URL: fleet.client.url, PODFLEET_TOKEN: fleet.token };
  const cli = join(import.meta.dirname, "../../apps/cli/bin/podfleet.mjs");
  const line = `${process.execPath} ${cli} logs lines 2>/dev/null | head -n 1`;
  const { stdout } = await promisify(execFile)("/bin/bash", ["-c", line], {
    env: { ...process.env, ...env },
  });
  expect(stdout).toBe("o1\n");
});

test("what the host does not keep any more is missing at the front, with a warning", async () => {
  const command = ["sh", "-c", "seq 1 200000; sleep 600"];
  await runContainer(fleet.client, { name: "long", command });
  // A front that is given up during a read leaves a gap in its middle: two equal answers show that no more is given up.
  let previous = "";
  const { stdout, stderr, exitCode } = await waitFor(
    async () => {
      const result = await fleet.cli(["logs", "long"]);
      const isSettled = result.stdout === previous;
      previous = result.stdout;
      const isShort = isSettled && previous.split("\n").length < 150_000;
      return isShort && previous.endsWith("\n200000\n") ? result : undefined;
    },
    { what: "the front to be given up", timeoutMs: 60_000 },
  );
  expect(exitCode).toBe(0);
  expect(stderr).toMatch(/^Warning: the host no longer keeps \d+ bytes of the output of "long"\n$/);
  const lines = stdout.split("\n").slice(0, -1).map(Number);
  expect(lines).toEqual(lines.map((_, index) => 200_000 - lines.length + 1 + index));
});
