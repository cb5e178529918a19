/** Plain messages between two processes through a fleet's nats-server, as a baseline. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { type Bus, connectBus } from "@podfleet/bus/connection";
import type { TestNatsServer } from "@podfleet/bus/test-nats-server";
import { PodfleetError } from "@podfleet/model/errors";
import { type HostId, newConnectionId, newHostId } from "@podfleet/model/ids";
import {
  controlPlaneInboxPrefix,
  hostSubject,
  toClientStreamSubject,
} from "@podfleet/protocol/subject";

import type { BulkRequest } from "./raw-nats-peer.ts";

export class RawNats implements AsyncDisposable {
  readonly #bus: Bus;
  readonly #peer: ChildProcess;
  readonly #hostId: HostId;

  private constructor(bus: Bus, peer: ChildProcess, hostId: HostId) {
    this.#bus = bus;
    this.#peer = peer;
    this.#hostId = hostId;
  }

  static async open(nats: TestNatsServer): Promise<RawNats> {
    const hostId = newHostId();
    const bus = await connectBus({
      servers: nats.url,
      credentials: await nats.controlPlaneCredentials(),
      inboxPrefix: controlPlaneInboxPrefix,
      name: "bench",
    });
    const args = [nats.url, hostId, await nats.agentCredentials(hostId)];
    const peer = fork(join(import.meta.dirname, "raw-nats-peer.ts"), args);
    await once(peer, "message");
    return new RawNats(bus, peer, hostId);
  }

  /** Resolves when `bytes` from the peer have arrived, in messages of `messageBytes`. */
  async receive(totalBytes: number, messageBytes: number): Promise<void> {
    const subject = toClientStreamSubject(this.#hostId, newConnectionId());
    const { promise, resolve } = Promise.withResolvers<void>();
    let received = 0;
    const unsubscribe = this.#bus.bulk.subscribe(subject, ({ data }) => {
      received += data.length;
      if (received >= totalBytes) resolve();
    });
    await this.#bus.bulk.flush();
    this.#peer.send({ subject, totalBytes, messageBytes } satisfies BulkRequest);
    await promise;
    unsubscribe();
  }

  /** Sends one byte and waits for its echo. */
  async echo(): Promise<void> {
    await this.#bus.control.request(hostSubject(this.#hostId, "ping"), Uint8Array.of(1), {
      timeoutMs: 5_000,
      unreachable: (_delivered, cause) => new PodfleetError("UNAVAILABLE", "No echo", { cause }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#peer.disconnect();
    await once(this.#peer, "exit");
    await this.#bus.close();
  }
}
