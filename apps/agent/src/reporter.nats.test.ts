import { systemClock } from "@podfleet/base/clock";
import { AgentClient } from "@podfleet/bus/agent-client";
import { serveAgents } from "@podfleet/bus/agent-server";
import { type Bus, connectBus } from "@podfleet/bus/connection";
import type { MessageServer } from "@podfleet/bus/message-server";
import { startNatsServer, type TestNatsServer } from "@podfleet/bus/test-nats-server";
import { StateStore } from "@podfleet/engine/state/state-store";
import { PodfleetError } from "@podfleet/model/errors";
import { imageIdSchema, newHostId, newOperationId } from "@podfleet/model/ids";
import { agentInboxPrefix, controlPlaneInboxPrefix } from "@podfleet/protocol/subject";
import { createTempRoot } from "@podfleet/testkit/temp-root";
import { eventually, waitFor } from "@podfleet/testkit/wait-for";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Reporter } from "./reporter.ts";

let nats: TestNatsServer;

beforeAll(async () => {
  nats = await startNatsServer();
});

afterAll(async () => {
  await nats[Symbol.asyncDispose]();
});

const hostId = newHostId();

const host = {
  id: hostId,
  name: "host-1",
  labels: {},
  capacity: { cpuMillis: 1000, memoryBytes: 1 },
  agentVersion: "0",
  kernelVersion: "6",
  architecture: "x86_64",
  cgroupMode: "v2",
  runtime: { name: "runc", version: "1" },
  monitorVersion: "2",
  bootId: "b",
} as const;

/** A control plane that keeps a host's events in a list instead of Postgres. */
class Receiver {
  readonly seqs: number[] = [];
  hellos = 0;
  heartbeats = 0;
  refusal: PodfleetError | undefined;
  #bus: Bus | undefined;
  #server: MessageServer | undefined;

  get committedSeq(): number {
    return this.seqs.at(-1) ?? 0;
  }

  async start(): Promise<void> {
    this.#bus = await connectBus({
      servers: nats.url,
      credentials: await nats.controlPlaneCredentials(),
      inboxPrefix: controlPlaneInboxPrefix,
      name: "receiver",
    });
    this.#server = await serveAgents(this.#bus, {
      hello: async () => {
        this.hellos += 1;
        return { committedSeq: this.committedSeq };
      },
      events: async (_hostId, { events }) => {
        if (this.refusal) throw this.refusal;
        const fresh = events.map(({ seq }) => seq).filter((seq) => seq > this.committedSeq);
        this.seqs.push(...fresh);
        return { committedSeq: this.committedSeq };
      },
      heartbeat: async () => {
        this.heartbeats += 1;
      },
      spans: async () => undefined,
    });
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    await this.#bus?.close();
  }
}

/** A method of the engine that a test has fail. */
type Method = "containers" | "after" | "commit";

/** A reporter with an outbox on disk that `append` adds to, and a receiver that is not yet started. */
async function setUp({ fault }: { readonly fault?: (method: Method) => void } = {}) {
  const root = await createTempRoot("reporter");
  const store = StateStore.open(`${root.path}/engine.sqlite`, systemClock);
  const bus = await connectBus({
    servers: nats.url,
    credentials: await nats.agentCredentials(hostId),
    inboxPrefix: agentInboxPrefix(hostId),
    name: "agent",
  });
  const reporter = new Reporter({
    client: new AgentClient(bus, hostId),
    engine: {
      containers: () => {
        fault?.("containers");
        return [];
      },
      images: () => [],
      outbox: {
        lastSeq: () => store.outbox.lastSeq(),
        onAppend: (listener) => store.outbox.onAppend(listener),
        after: (seq, limit) => {
          fault?.("after");
          return store.outbox.after(seq, limit);
        },
        commit: (seq) => {
          fault?.("commit");
          store.outbox.commit(seq);
        },
      },
    },
    host,
    log: pino({ level: "silent" }),
  });
  bus.onEvent((event) => {
    if (event.type === "reconnected" && event.link === "control") reporter.reconnected();
  });
  const stopping = new AbortController();
  const running = reporter.run(stopping.signal);
  const receiver = new Receiver();
  const statusOf = (name: string) =>
    reporter.loops.find((loop) => loop.name === name)?.status ?? { failures: -1, runs: -1 };
  return {
    receiver,
    statusOf,
    outbox: store.outbox,
    append: (count: number) => {
      for (let index = 0; index < count; index += 1)
        store.note(undefined, { event: "image.load", image });
    },
    appendOfOperation: () => {
      const operation = { id: newOperationId(), verb: "image.load" } as const;
      store.note(undefined, { event: "image.load", image, operation });
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await running;
      await receiver.stop();
      await bus.close();
      store.close();
      await root[Symbol.asyncDispose]();
    },
  };
}

const image = {
  id: imageIdSchema.parse(`sha256:${"0".repeat(64)}`),
  names: ["localhost/a:latest"],
  sizeBytes: 1,
  layers: 1,
};

function oneTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

test("says hello until it is answered, then reports every event once and in order", async () => {
  await using fixture = await setUp();
  const { receiver, outbox, append } = fixture;
  append(600);
  await receiver.start();
  await waitFor(() => receiver.committedSeq === 600, { what: "600 events" });
  append(3);
  await waitFor(() => receiver.committedSeq === 603, { what: "3 more" });
  expect(receiver.seqs).toEqual(oneTo(603));
  expect(receiver.hellos).toBe(1);
  await waitFor(() => outbox.after(0, 1).length === 0, { what: "an empty outbox" });
});

test("reports what operations did, with or without anything else that happens", async () => {
  await using fixture = await setUp();
  const { receiver, append, appendOfOperation } = fixture;
  await receiver.start();
  await waitFor(() => receiver.hellos === 1, { what: "the hello" });
  appendOfOperation();
  await waitFor(() => receiver.committedSeq === 1, { what: "the event of an operation" });
  appendOfOperation();
  append(1);
  await waitFor(() => receiver.committedSeq === 3, { what: "both events" });
  appendOfOperation();
  await waitFor(() => receiver.committedSeq === 4, { what: "the last event" });
  expect(receiver.seqs).toEqual(oneTo(4));
});

test("keeps what the control plane could not commit and sends it again", async () => {
  await using fixture = await setUp();
  const { receiver, outbox, append } = fixture;
  receiver.refusal = new PodfleetError("UNAVAILABLE", "Cannot reach Postgres");
  await receiver.start();
  append(5);
  await waitFor(() => receiver.heartbeats > 0, { what: "a heartbeat" });
  expect(outbox.after(0, 10)).toHaveLength(5);
  receiver.refusal = undefined;
  await waitFor(() => receiver.committedSeq === 5, { what: "5 events" });
  expect(receiver.seqs).toEqual(oneTo(5));
});

test("introduces itself again to a control plane that has forgotten it", async () => {
  await using fixture = await setUp();
  const { receiver, append } = fixture;
  await receiver.start();
  await waitFor(() => receiver.hellos === 1, { what: "the first hello" });
  receiver.refusal = new PodfleetError("HOST_NOT_FOUND", "Cannot find the host");
  append(1);
  await waitFor(() => receiver.hellos > 1, { what: "another hello" });
  receiver.refusal = undefined;
  await waitFor(() => receiver.committedSeq === 1, { what: "the event" });
  expect(receiver.seqs).toEqual([1]);
});

test("goes on after NATS was killed, with a new hello", async () => {
  await using fixture = await setUp();
  const { receiver, append } = fixture;
  await receiver.start();
  append(2);
  await waitFor(() => receiver.committedSeq === 2, { what: "2 events" });
  await nats.kill();
  append(2);
  await nats.restart();
  await waitFor(() => receiver.committedSeq === 4, { what: "4 events", timeoutMs: 10_000 });
  expect(receiver.seqs).toEqual(oneTo(4));
  expect(receiver.hellos).toBe(2);
});

describe("loops go on after", () => {
  test.each([
    ["reports", "EMFILE", "after"],
    ["reports", "ENOSPC", "commit"],
    ["heartbeats", "EMFILE", "containers"],
  ] as const)("%s: %s of the engine's %s", async (name, code, faulty) => {
    let isFaulty = true;
    await using fixture = await setUp({
      fault: (method) => {
        if (isFaulty && method === faulty) throw Object.assign(new Error(code), { code });
      },
    });
    const { receiver, append, statusOf } = fixture;
    await receiver.start();
    append(3);
    await waitFor(() => statusOf(name).failures > 1, { what: "two failures" });
    isFaulty = false;
    await waitFor(() => statusOf(name).failures === 0, { what: `${name} to go on` });
    await waitFor(() => receiver.committedSeq === 3, { what: "3 events" });
    expect(receiver.seqs).toEqual(oneTo(3));
    const { heartbeats } = receiver;
    await waitFor(() => receiver.heartbeats > heartbeats, { what: "a heartbeat" });
  });

  test("reports: an unexpected reply of the control plane", async () => {
    await using fixture = await setUp();
    const { receiver, append, statusOf } = fixture;
    receiver.refusal = new PodfleetError("INTERNAL", "Unexpected failure: out of memory");
    await receiver.start();
    append(3);
    await waitFor(() => statusOf("reports").failures > 1, { what: "two failures" });
    receiver.refusal = undefined;
    await eventually(() => expect(receiver.seqs).toEqual(oneTo(3)));
    await eventually(() => expect(statusOf("reports").failures).toBe(0));
  });
});
