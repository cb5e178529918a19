/**
 * Sessions, measured against NATS alone and against podman, in turns within one run: bulk output through the whole system
 * (container, journal, agent, NATS, control plane, WebSocket, client) against messages of the same size through NATS alone and against
 * podman's attach; the echo of a key against a request and its reply through NATS alone; the memory of the agent and of the control plane
 * while 4 GiB flow, and while a client does not read.
 */
import { busyboxArchive } from "@podfleet/testkit/busybox-image";

import { removeContainers, runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";
import { judge, Samples } from "./measure.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { startPodman } from "./podman.ts";
import { RawNats } from "./raw-nats.ts";

const mebibyte = 1024 * 1024;
const bulkBytes = 512 * mebibyte;
const bulkRounds = 3;
/** The size of the agent's messages. */
const frameBytes = 32 * 1024;
const keys = 2_000;
const flowBytes = 4096 * mebibyte;
const unreadBytes = 512 * mebibyte;

async function main(): Promise<void> {
  // Journals keep all output, although the reader may be slower than the writer.
  const agentEnv = { PODFLEET_JOURNAL_BYTES_MAX: String(2 * flowBytes) };
  await using fleet = await startFleet({ hosts: 1, agentEnv });
  await using nats = await RawNats.open(fleet.nats);
  await using memory = await MemoryWatch.start(fleet);
  const bulk = await measureBulk(fleet, nats);
  const echo = await measureEcho(fleet, nats);
  memory.takeGrowth();
  const flow = await megabytesPerSecond(async () => await readAll(fleet, flowBytes), flowBytes);
  const flowing = memory.takeGrowth();
  const unread = await measureUnread(fleet, memory);
  await removeContainers(fleet.client);

  console.log(`4 GiB: ${flow.toFixed(0)} MB/s`);
  console.log(`a command with a client that does not read: ${unread.slowdown.toFixed(2)} x`);
  judge([
    {
      what: "bulk output",
      value: bulk.podfleet,
      atLeast: Math.min(90, Math.round(0.6 * bulk.nats)),
      unit: " MB/s",
    },
    { what: "echo of a key, p50", value: echo.podfleet.p50, atMost: 2, unit: " ms" },
    { what: "echo of a key, p99", value: echo.podfleet.p99, atMost: 8, unit: " ms" },
    ...(["agent", "controlPlane"] as const).flatMap((name) => [
      {
        what: `memory of the ${name === "agent" ? name : "control plane"} while 4 GiB flow`,
        value: flowing[name],
        atMost: 64,
        unit: " MiB more",
      },
      {
        what: `memory of the ${name === "agent" ? name : "control plane"} while a client does not read`,
        value: unread.growth[name],
        atMost: 64,
        unit: " MiB more",
      },
    ]),
  ]);
}

/** In MB/s (10^6 bytes), the best of all rounds: other work on the machine can only slow one down. */
async function measureBulk(fleet: Fleet, nats: RawNats) {
  await using podman = await startPodman(await busyboxArchive());
  if (!podman) console.log("podman is not installed: it is left out");
  const contenders = {
    podfleet: async () => await readAll(fleet, bulkBytes),
    nats: async () => await nats.receive(bulkBytes, frameBytes),
    ...(podman ? { podman: async () => await podman.runAttached(writeZeros(bulkBytes)) } : {}),
  };
  const rates: Record<string, number[]> = {};
  for (let round = 0; round < bulkRounds; round += 1) {
    for (const [name, run] of Object.entries(contenders)) {
      (rates[name] ??= []).push(await megabytesPerSecond(run, bulkBytes));
    }
  }
  const best = (name: string): number => Math.max(...(rates[name] ?? []));
  console.log(`MB/s of ${bulkBytes / mebibyte} MiB of output, ${bulkRounds} rounds`);
  console.table(
    Object.fromEntries(
      Object.entries(rates).map(([name, each]) => [
        name,
        {
          rounds: each.map((rate) => rate.toFixed(0)).join(", "),
          "podfleet's best over its best": (best("podfleet") / best(name)).toFixed(2),
        },
      ]),
    ),
  );
  return { podfleet: best("podfleet"), nats: best("nats") };
}

function writeZeros(bytes: number): string[] {
  return ["dd", "if=/dev/zero", "bs=64k", `count=${bytes / 65_536}`];
}

async function megabytesPerSecond(run: () => Promise<unknown>, bytes: number): Promise<number> {
  const samples = new Samples();
  await samples.time(run);
  return bytes / 1e3 / samples.p50;
}

/** Runs a command that writes `bytes`, and reads its output. */
async function readAll({ client }: Fleet, bytes: number): Promise<void> {
  const spec = { image: "busybox", command: writeZeros(bytes) };
  const { container } = await client.api.containers.create.mutate({ spec });
  const session = await client.openSession({ container: container.id, spec: { run: "next" } });
  await client.api.containers.start.mutate({ container: container.id });
  let length = 0;
  for await (const piece of session.output) {
    if (piece.type === "gap") throw new Error(`The journal has lost ${piece.from} to ${piece.to}`);
    if (piece.stream === "stdout") length += piece.bytes.length;
  }
  const { exitCode } = await session.exit;
  if (length !== bytes || exitCode !== 0) throw new Error(`${length} bytes came, then ${exitCode}`);
  await client.api.containers.remove.mutate({ container: container.id });
}

/** Measures the echo of a key by the terminal of an exec session. */
async function measureEcho({ client }: Fleet, nats: RawNats) {
  const container = await runContainer(client, { command: ["sleep", "3600"] });
  const spec = { command: ["sleep", "3600"], tty: true, stdin: true };
  const exec = await client.exec({ container: container.id, spec });
  const session = await exec.attach({ input: "exclusive" });
  const reader = session.output.getReader();
  const writer = session.input.getWriter();
  const times = { podfleet: new Samples(), nats: new Samples() };
  for (let count = 0; count < keys; count += 1) {
    await times.podfleet.time(async () => {
      await writer.write(Uint8Array.of(0x78));
      await reader.read();
    });
    await times.nats.time(async () => await nats.echo());
  }
  await session.close();
  console.log(`Echo of ${keys} keys, p50 / p99 in ms`);
  console.table(
    Object.fromEntries(
      Object.entries(times).map(([name, { p50, p99 }]) => [
        name,
        `${p50.toFixed(2)} / ${p99.toFixed(2)}`,
      ]),
    ),
  );
  return times;
}

/** Measures how a client that does not read affects the command's speed and the memory. */
async function measureUnread({ client }: Fleet, memory: MemoryWatch) {
  const times = { alone: new Samples(), unread: new Samples() };
  for (const name of ["alone", "unread", "alone", "unread"] as const) {
    const spec = { image: "busybox", command: writeZeros(unreadBytes) };
    const { container } = await client.api.containers.create.mutate({ spec });
    const { id } = container;
    const session =
      name === "unread"
        ? await client.openSession({ container: id, spec: { run: "next" } })
        : undefined;
    memory.takeGrowth();
    await times[name].time(async () => {
      await client.api.containers.start.mutate({ container: id });
      await client.wait({ container: id });
    });
    await session?.close();
  }
  return { slowdown: times.unread.p50 / times.alone.p50, growth: memory.takeGrowth() };
}

await main();
