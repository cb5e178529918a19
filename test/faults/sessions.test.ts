/**
 * Sessions under faults: output arrives byte for byte, and input arrives once, while agents, control planes,
 * nats-server and clients are killed, and the link is cut and disturbed.
 *
 * PODFLEET_TEST_EFFORT=20 has 1,000 faults.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { systemClock } from "@podfleet/base/clock";
import { withDeadline } from "@podfleet/base/deadline";
import type { JournalStream } from "@podfleet/base/journal-record";
import type { SessionOptions, SessionStream } from "@podfleet/client/session";
import { newSessionId } from "@podfleet/model/ids";
import { testEffort } from "@podfleet/testkit/effort";
import { SeededRandom, printedSeed } from "@podfleet/testkit/seed";
import { TestProcess } from "@podfleet/testkit/test-process";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { MemoryWatch } from "../bench/memory-watch.ts";
import { runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, type FleetHost, startFleet } from "../fleet/fleet.ts";
import { ExpectedOutput, numbered, repeated } from "./expected-output.ts";
import { faults } from "./session-faults.ts";
import { readRecording } from "./session-recorder.ts";

const faultCount = 50 * testEffort;
const pauseMsMax = 400;
/** The longest recovery after the last fault of a group. */
const recoverMsMax = 60_000;
const endMsMax = 60_000;

let fleet: Fleet;
let host: FleetHost;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 1, replicas: 2 });
  const [only] = fleet.hosts;
  if (!only) throw new Error("The fleet has no host");
  host = only;
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

type Expected = Readonly<Partial<Record<JournalStream, ExpectedOutput>>>;

/** Writes until the file /stop exists, and then ends with 0. */
function untilStopped(body: string): string[] {
  return ["sh", "-c", `i=0; while [ ! -e /stop ]; do i=$((i+1)); ${body}; done; exit 0`];
}

const sequence = Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join("");

const bothStreamsCommand = untilStopped("echo out $i; echo err $i >&2; usleep 5000");

function bothStreams() {
  return {
    stdout: new ExpectedOutput(numbered((number) => `out ${number}\n`)),
    stderr: new ExpectedOutput(numbered((number) => `err ${number}\n`)),
  };
}

async function producers() {
  const busybox = await readFile("/bin/busybox");
  const lines = (text: (number: number) => string) => new ExpectedOutput(numbered(text));
  const blocks = (block: Uint8Array) => new ExpectedOutput(repeated(block));
  return {
    bulk: {
      command: untilStopped("seq 1 20000; usleep 400000"),
      expected: { stdout: blocks(Buffer.from(sequence)) },
    },
    binary: {
      command: untilStopped("cat /bin/busybox; usleep 700000"),
      expected: { stdout: blocks(busybox) },
    },
    "short lines": {
      command: untilStopped("echo $i; [ $((i % 100)) = 0 ] && usleep 20000"),
      expected: { stdout: lines((number) => `${number}\n`) },
    },
    "both streams": {
      command: bothStreamsCommand,
      expected: bothStreams(),
    },
    "a byte a millisecond": {
      command: untilStopped("printf $((i % 10)); usleep 1000"),
      expected: { stdout: lines((number) => String(number % 10)) },
    },
    terminal: {
      command: untilStopped("echo line $i; usleep 10000"),
      tty: true,
      expected: { stdout: lines((number) => `line ${number}\r\n`) },
    },
  };
}

/** @throws Error at the first byte that is not the expected one */
async function compare(session: SessionStream, expected: Expected): Promise<void> {
  for await (const piece of session.output) {
    if (piece.type === "gap") throw new Error(`Lost ${piece.from} to ${piece.to}`);
    const stream = expected[piece.stream];
    if (!stream) throw new Error(`Nothing was to come on ${piece.stream}`);
    stream.take(piece.bytes);
  }
  const { exitCode } = await session.exit;
  if (exitCode !== 0) throw new Error(`Ended with ${exitCode}`);
}

/** Types numbered lines until `signal` is aborted, and then ends the input. @returns the number of lines */
async function type(input: WritableStream<Uint8Array>, signal: AbortSignal): Promise<number> {
  const writer = input.getWriter();
  let count = 0;
  while (!signal.aborted) {
    count += 1;
    await writer.write(Buffer.from(`typed ${count}\n`));
    // oxlint-disable-next-line no-restricted-properties -- a fast typist's pause between two lines
    await systemClock.sleep(5);
  }
  await writer.close();
  return count;
}

/** Resolves when every reader has received more output. */
async function progress(all: readonly (readonly [string, { expected: Expected }])[]) {
  const outputs = all.flatMap(([name, { expected }]) => {
    return Object.values(expected).map((output) => ({ name, output, length: output.length }));
  });
  for (const { name, output, length } of outputs) {
    await waitFor(() => output.length > length, {
      what: `more of "${name}"`,
      timeoutMs: recoverMsMax,
    });
  }
}

test(
  `${faultCount} faults: no byte of output is lost or repeated, and no line of input`,
  async () => {
    const random = new SeededRandom(printedSeed("faults"));
    const story: string[] = [];
    const patient = { outageMaxMs: 600_000, whenHostSilent: "retry" } as const;
    const told = (name: string): SessionOptions => ({
      ...patient,
      onOutage: (outage) => {
        const what = outage.type === "down" ? outage.error.message : `${outage.downMs} ms later`;
        story.push(`${name} is ${outage.type}: ${what}`);
      },
    });
    const [left, right] = fleet.replicas.map(fleet.clientOf);
    if (!left || !right) throw new Error("The fleet has too few replicas");
    const { client } = fleet;
    const base = await runContainer(client, { command: ["sleep", "100000"] });

    const watched: Record<string, Promise<void>> = {};
    const all = Object.entries(await producers());
    for (const [index, [name, { command, expected, ...rest }]] of all.entries()) {
      const through = index % 2 === 0 ? left : right;
      const exec = await through.exec({ container: base.id, spec: { command, ...rest } });
      watched[name] = compare(await exec.attach({}, told(name)), expected);
    }
    const spec = { command: ["cat"], stdin: true };
    const cat = await (
      await left.exec({ container: base.id, spec })
    ).attach({ input: "exclusive" }, told("input"));
    const echoed = new ExpectedOutput(numbered((number) => `typed ${number}\n`));
    watched["input"] = compare(cat, { stdout: echoed });
    const typing = new AbortController();
    const typed = type(cat.input, typing.signal);

    const recorded = await runContainer(client, {
      command: bothStreamsCommand,
    });
    const recording = join(fleet.root, "recording");
    const recorder = new TestProcess({
      name: "recorder",
      command: [
        ...[process.execPath, join(import.meta.dirname, "session-recorder.ts")],
        ...[right.url, fleet.token, recorded.id, newSessionId(), recording],
      ],
      env: {},
      logPath: join(fleet.root, "recorder.log"),
    });
    recorder.start();

    const failed = Promise.all(Object.values(watched));
    failed.catch(() => undefined);
    const storm = async (): Promise<void> => {
      let names = Object.keys(faults);
      for (let count = 0; count < faultCount; count += 1) {
        // Each kind once before any is repeated.
        if (count % names.length === 0) names = random.shuffled(names);
        const name = names[count % names.length] ?? "";
        story.push(name);
        await faults[name]?.({ fleet, host, client: recorder, random });
        await random.moment(pauseMsMax);
        if (count % names.length === names.length - 1) await progress(all);
      }
    };
    try {
      await Promise.race([storm(), failed.then(() => undefined)]);
      await fleet.ready();
      typing.abort();
      for (const container of [base.id, recorded.id]) {
        const touch = { container, spec: { command: ["touch", "/stop"] } };
        await (await client.exec(touch, patient)).wait(patient);
      }
      for (const [name, comparison] of Object.entries(watched)) {
        const late = () => new Error(`The session "${name}" did not end`);
        await withDeadline(comparison, endMsMax, late);
      }
      await waitFor(() => readRecording(recording).exitCode !== undefined, {
        what: `the recorder, which says: ${recorder.lastWords()}`,
        timeoutMs: endMsMax,
      });
    } catch (error) {
      const words = [host.agent, ...fleet.replicas.map(({ process }) => process)].map(
        (each) => `${each.isRunning ? "running" : "ended"}: ${each.lastWords()}`,
      );
      const told = [`With seed ${random.seed}:`, ...story.slice(-40), ...words];
      throw new Error(told.join("\n"), { cause: error });
    } finally {
      await recorder.end("SIGKILL");
    }
    const ofRecorder = bothStreams();
    for (const { stream, bytes } of readRecording(recording).pieces) ofRecorder[stream].take(bytes);
    all.push(["the recorder", { command: [], expected: ofRecorder }]);
    for (const [name, { expected }] of all) {
      for (const stream of Object.values(expected)) {
        expect(stream.length, name).toBeGreaterThan(1_000);
        expect(stream.isWhole, name).toBe(true);
      }
    }
    expect(echoed.isWhole).toBe(true);
    expect(await typed).toBeGreaterThan(100);
    expect(story.filter((line) => line.includes(" is down: ")).length).toBeGreaterThan(faultCount);
  },
  60_000 + faultCount * 4_000,
);

test("A3: a client that never reads holds up neither the command nor other clients, and costs little memory", async () => {
  const { client } = fleet;
  const sizeBytes = 256 * 1024 * 1024;
  const command = ["dd", "if=/dev/zero", "bs=64k", `count=${sizeBytes / 65_536}`];
  const created = await client.api.containers.create.mutate({
    spec: { image: "busybox", command },
  });
  const container = created.container.id;
  await using memory = await MemoryWatch.start(fleet);
  const unread = await client.openSession({ container, spec: { run: "next" } });
  const read = await client.openSession({ container, spec: { run: "next" } });
  await client.api.containers.start.mutate({ container });
  let length = 0;
  for await (const piece of read.output) {
    if (piece.type === "output" && piece.stream === "stdout") length += piece.bytes.length;
  }
  expect(length).toBe(sizeBytes);
  expect(await read.exit).toMatchObject({ exitCode: 0 });
  const growth = memory.takeGrowth();
  expect(growth.agent).toBeLessThan(64);
  expect(growth.controlPlane).toBeLessThan(64);
  await unread.output.cancel();
  expect(await unread.exit).toMatchObject({ exitCode: 0 });
});
