/** The agent of a simulated host: real messages over a real nats-server. It can be silenced, cut off, and started again on the same host. */
import { AgentClient } from "@podfleet/bus/agent-client";
import { type Bus, connectBus } from "@podfleet/bus/connection";
import { type HostHandlers, serveHost } from "@podfleet/bus/host-server";
import type { TestNatsServer } from "@podfleet/bus/test-nats-server";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import { heartbeatIntervalMs, type HostInfo } from "@podfleet/model/host";
import { type HostId, newHostId } from "@podfleet/model/ids";
import type { LoopStatus } from "@podfleet/model/loop-status";
import { agentInboxPrefix } from "@podfleet/protocol/subject";

import { SimulatedHost } from "./simulated-host.ts";
import { simulatedImage } from "./simulated-records.ts";
import { SimulatedSessions } from "./simulated-sessions.ts";

export interface SimulatedAgentOptions {
  readonly nats: TestNatsServer;
  /** What it says about its host, over the defaults. */
  readonly host: Partial<Omit<HostInfo, "id">> & Pick<HostInfo, "name">;
}

const requestTimeoutMs = 5_000;
const batchEventsMax = 256;

export class SimulatedAgent implements AsyncDisposable {
  readonly hostId: HostId;
  /** What it remembers from one start to the next. */
  readonly host = new SimulatedHost();
  readonly sessions = new SimulatedSessions();
  /** What it says of its background work. */
  loops: LoopStatus[] = [];
  /** Its answer to pings, and to what became of operations, when it is set. */
  refusal: PodfleetError | undefined;
  readonly #info: HostInfo;
  readonly #natsUrl: string;
  readonly #credentials: string;
  #bus: Bus | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #reporting: Promise<void> = Promise.resolve();

  private constructor(info: HostInfo, credentials: string, options: SimulatedAgentOptions) {
    this.hostId = info.id;
    this.#info = info;
    this.#natsUrl = options.nats.url;
    this.#credentials = credentials;
  }

  /** Connects to NATS as the agent of a new host. */
  static async start(options: SimulatedAgentOptions): Promise<SimulatedAgent> {
    const id = newHostId();
    const credentials = await options.nats.agentCredentials(id);
    const agent = new SimulatedAgent(describeHost(id, options.host), credentials, options);
    await agent.start();
    return agent;
  }

  /** Connects, serves, says hello and begins to send heartbeats. */
  async start(): Promise<void> {
    this.#bus = await connectBus({
      servers: this.#natsUrl,
      credentials: this.#credentials,
      inboxPrefix: agentInboxPrefix(this.hostId),
      name: this.#info.name,
    });
    await serveHost(this.#bus, this.hostId, this.#handlers());
    await this.sessions.connect(this.#bus, this.hostId);
    const client = new AgentClient(this.#bus, this.hostId);
    const hello = { host: this.#info, images: [simulatedImage] };
    const { committedSeq } = await client.hello(hello, { timeoutMs: requestTimeoutMs });
    this.host.committed(committedSeq);
    this.#heartbeat = setInterval(() => this.#beat(client), heartbeatIntervalMs);
    await this.report();
  }

  /** As kill -9: no goodbye. */
  async kill(): Promise<void> {
    clearInterval(this.#heartbeat);
    const bus = this.#bus;
    this.#bus = undefined;
    await bus?.close();
  }

  /** Stays connected and answers nothing but what has begun: as a host whose network is cut. */
  silence(): void {
    clearInterval(this.#heartbeat);
  }

  /** Sends what the control plane has not committed yet. */
  async report(): Promise<void> {
    const events = this.host.outbox.slice(0, batchEventsMax);
    const bus = this.#bus;
    if (events.length === 0 || !bus) return;
    const client = new AgentClient(bus, this.hostId);
    const { committedSeq } = await client.sendEvents({ events }, { timeoutMs: requestTimeoutMs });
    this.host.committed(committedSeq);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reporting;
    await this.kill();
  }

  async #reportWhileUp(): Promise<void> {
    const bus = this.#bus;
    try {
      await this.report();
    } catch (error) {
      // What was not committed is sent after the next hello.
      if (bus === this.#bus && !hasCode(error, "UNAVAILABLE")) throw error;
    }
  }

  #beat(client: AgentClient): void {
    try {
      client.heartbeat({ containers: {}, seq: this.host.lastSeq });
    } catch (error) {
      if (!hasCode(error, "UNAVAILABLE")) throw error;
    }
  }

  #handlers(): HostHandlers {
    const { host } = this;
    return {
      ping: async () => {
        if (this.refusal) throw this.refusal;
        return {};
      },
      loops: async () => ({ loops: this.loops }),
      do: async ({ operationId, action }) => {
        const outcome = await host.perform(operationId, action);
        this.#reporting = this.#reportWhileUp();
        return { outcome };
      },
      inspect: async ({ containerId }) => {
        throw new PodfleetError("CONTAINER_NOT_FOUND", `Cannot find container "${containerId}"`);
      },
      wait: async (request, signal) => await host.wait(request, signal),
      "exec.list": async () => ({ sessions: [...host.execs.values()] }),
      "exec.inspect": async ({ execId }) => ({ session: host.session(execId) }),
      "exec.wait": async ({ execId }) => ({ session: host.session(execId) }),
      "exec.resize": async ({ execId }) => {
        host.session(execId);
        return {};
      },
      "container.resize": async () => ({}),
      "session.open": async (request) => await this.sessions.open(request),
      "session.list": async (filter) => ({ sessions: this.sessions.list(filter) }),
      "session.close": async ({ sessionId }) => ({ session: this.sessions.close(sessionId) }),
      "operation.settle": async ({ operationId }) => {
        if (this.refusal) throw this.refusal;
        return host.settle(operationId);
      },
      stat: async ({ path }) => ({ stat: host.files.get(path) }),
      top: async () => ({ processes: [] }),
      stats: async () => ({ usage: host.usage() }),
      "artifact.list": async () => ({ artifacts: [] }),
      "journal.locate": async () => ({ offset: 0 }),
      "journal.read": async ({ offset }) => ({
        bytes: new Uint8Array(0),
        offset,
        next: offset,
        ended: true,
      }),
      "transfer.open": async () => ({ transferId: host.openTransfer() }),
      "transfer.read": async ({ transferId, offset, bytesMax }) => {
        const all = host.transfers.get(transferId);
        if (!all) throw new PodfleetError("TRANSFER_NOT_FOUND", "It is not open");
        const next = Math.min(all.length, offset + bytesMax);
        return { bytes: all.subarray(offset, next), next, ended: next === all.length };
      },
      "transfer.close": async ({ transferId }) => {
        host.transfers.delete(transferId);
        return {};
      },
      "upload.chunk": async ({ uploadId, offset, bytes }) => ({
        length: host.appendUpload(uploadId, offset, bytes),
      }),
    };
  }
}

function describeHost(id: HostId, host: SimulatedAgentOptions["host"]): HostInfo {
  return {
    labels: {},
    capacity: { cpuMillis: 4_000, memoryBytes: 8 * 1024 ** 3 },
    agentVersion: "0.0.0-simulated",
    kernelVersion: "6.1.0",
    architecture: "amd64",
    cgroupMode: "v2",
    runtime: { name: "runc", version: "1.1.5" },
    monitorVersion: "2.1.6",
    bootId: id,
    ...host,
    id,
  };
}
