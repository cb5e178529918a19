/** An agent of a simulated host: real messages over a real nats-server, and nothing behind them. */
import { systemClock } from "@podfleet/base/clock";
import { AgentClient } from "@podfleet/bus/agent-client";
import { type Bus, connectBus } from "@podfleet/bus/connection";
import { type HostHandlers, serveHost } from "@podfleet/bus/host-server";
import type { MessageServer } from "@podfleet/bus/message-server";
import type { ContainerUsage } from "@podfleet/model/container/usage";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import { heartbeatIntervalMs, type HostInfo } from "@podfleet/model/host";
import { type ExecId, type HostId, newHostId } from "@podfleet/model/ids";
import { agentInboxPrefix } from "@podfleet/protocol/subject";

import type { TestNatsServer } from "./nats-server.ts";
import { SimulatedHost } from "./simulated-host.ts";

export interface SimulatedAgentOptions {
  readonly nats: TestNatsServer;
  readonly name: string;
  readonly hostId?: HostId;
  readonly labels?: Readonly<Record<string, string>>;
  /** 4 CPUs and 8 GiB when absent. */
  readonly capacity?: HostInfo["capacity"];
  /** A host with a past, which the agent is started on again. */
  readonly host?: SimulatedHost;
}

const requestTimeoutMs = 5_000;
const retryDelayMs = 100;

export class SimulatedAgent implements AsyncDisposable {
  readonly hostId: HostId;
  readonly host: SimulatedHost;
  readonly #bus: Bus;
  readonly #server: MessageServer;
  readonly #stopping = new AbortController();
  readonly #reporting: Promise<unknown>;

  /** Resolves when the agent takes requests; its hello may still be on the way. */
  static async start(options: SimulatedAgentOptions): Promise<SimulatedAgent> {
    const hostId = options.hostId ?? newHostId();
    const host = options.host ?? new SimulatedHost();
    const bus = await connectBus({
      servers: options.nats.url,
      credentials: await options.nats.agentCredentials(hostId),
      inboxPrefix: agentInboxPrefix(hostId),
      name: `simulated ${options.name}`,
    });
    const server = await serveHost(bus, hostId, handlersOf(host));
    return new SimulatedAgent({ bus, server, host, info: infoOf(hostId, options) });
  }

  private constructor(parts: {
    readonly bus: Bus;
    readonly server: MessageServer;
    readonly host: SimulatedHost;
    readonly info: HostInfo;
  }) {
    this.hostId = parts.info.id;
    this.host = parts.host;
    this.#bus = parts.bus;
    this.#server = parts.server;
    const client = new AgentClient(parts.bus, parts.info.id);
    this.#reporting = Promise.all([this.#report(client, parts.info), this.#beat(client)]);
  }

  /** Vanishes from the network; the host keeps its state for a later start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#reporting;
    await this.#server.stop();
    await this.#bus.close();
  }

  async #report(client: AgentClient, info: HostInfo): Promise<void> {
    const options = { timeoutMs: requestTimeoutMs, signal: this.#stopping.signal };
    let committedSeq: number | undefined;
    this.#bus.onEvent((event) => {
      if (event.type === "reconnected") committedSeq = undefined;
    });
    while (!this.#stopping.signal.aborted) {
      try {
        if (committedSeq === undefined) {
          const hello = { host: info, images: this.host.images() };
          ({ committedSeq } = await client.hello(hello, options));
        }
        const events = this.host.eventsAfter(committedSeq, 256);
        if (events.length > 0) ({ committedSeq } = await client.sendEvents({ events }, options));
        else await this.#pause(heartbeatIntervalMs);
      } catch (error) {
        if (hasCode(error, "HOST_NOT_FOUND")) committedSeq = undefined;
        else if (!hasCode(error, "UNAVAILABLE", "CANCELLED", "TIMEOUT")) throw error;
        await systemClock.sleep(retryDelayMs);
      }
    }
  }

  async #beat(client: AgentClient): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const containers: Record<string, number> = {};
      for (const { state } of this.host.snapshots())
        containers[state] = (containers[state] ?? 0) + 1;
      if (this.#bus.connected) client.heartbeat({ containers, seq: this.host.lastSeq() });
      await this.#pause(heartbeatIntervalMs, { untilCommit: false });
    }
  }

  /** Until the time is over, the agent stops, or (unless told otherwise) the host commits something. */
  async #pause(durationMs: number, { untilCommit = true } = {}): Promise<void> {
    const woken = new AbortController();
    const stopListening = untilCommit ? this.host.onCommit(() => woken.abort()) : undefined;
    const signal = AbortSignal.any([woken.signal, this.#stopping.signal]);
    await systemClock.sleep(durationMs, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    stopListening?.();
  }
}

function handlersOf(host: SimulatedHost): HostHandlers {
  const received = new Map<string, number>();
  return {
    do: async (request) => ({ outcome: host.perform(request) }),
    ping: async () => ({}),
    inspect: async ({ containerId }) => host.inspect(containerId),
    wait: async (request, signal) => await host.wait(request, signal),
    "exec.list": async () => ({ sessions: [] }),
    "exec.inspect": async ({ execId }) => {
      throw noSession(execId);
    },
    "exec.wait": async ({ execId }) => {
      throw noSession(execId);
    },
    "exec.resize": async ({ execId }) => {
      throw noSession(execId);
    },
    "container.resize": async () => ({}),
    "session.open": async () => {
      throw new PodfleetError("UNSUPPORTED", "A simulated host has no sessions");
    },
    "session.list": async () => ({ sessions: [] }),
    "session.close": async ({ sessionId }) => {
      throw new PodfleetError(
        "SESSION_NOT_FOUND",
        `Cannot find session "${sessionId}" on the host`,
      );
    },
    stat: async () => ({}),
    top: async () => ({ processes: [] }),
    stats: async () => ({ usage: idle() }),
    "artifact.list": async () => ({ artifacts: [] }),
    "journal.locate": async () => ({ offset: 0 }),
    "journal.read": async () => ({ bytes: new Uint8Array(), next: 0, ended: true }),
    "operation.settle": async ({ operationId }) => host.settle(operationId),
    "transfer.open": async () => {
      throw new PodfleetError("UNSUPPORTED", "A simulated host has no bytes to send");
    },
    "transfer.read": async ({ transferId }) => {
      throw new PodfleetError("TRANSFER_NOT_FOUND", `Transfer "${transferId}" is not open`);
    },
    "transfer.close": async () => ({}),
    "upload.chunk": async ({ uploadId, offset, bytes }) => {
      const length = Math.max(received.get(uploadId) ?? 0, offset + bytes.length);
      received.set(uploadId, length);
      return { length };
    },
  };
}

function idle(): ContainerUsage {
  return {
    at: new Date().toISOString(),
    ...{ cpuNanos: 0, pids: 1, blockReadBytes: 0, blockWriteBytes: 0 },
    ...{ memoryBytes: 1024 ** 2, memoryLimitBytes: 1024 ** 3 },
  };
}

function noSession(id: ExecId): PodfleetError {
  return new PodfleetError("EXEC_NOT_FOUND", `Cannot find exec session "${id}" on the host`);
}

function infoOf(id: HostId, options: SimulatedAgentOptions): HostInfo {
  return {
    id,
    name: options.name,
    labels: { ...options.labels },
    capacity: options.capacity ?? { cpuMillis: 4_000, memoryBytes: 8 * 1024 ** 3 },
    agentVersion: "0.0.0-simulated",
    kernelVersion: "6.1.0",
    architecture: "amd64",
    cgroupMode: "v2",
    runtime: { name: "runc", version: "1.1.5" },
    monitorVersion: "2.1.6",
    bootId: id,
  };
}
