/** For tests: a client of a session that sends and reads single frames over a real NATS server. */
import { openClientStream } from "@podfleet/bus/client-stream";
import type { Bus } from "@podfleet/bus/connection";
import {
  type ContainerId,
  type HostId,
  newConnectionId,
  newSessionId,
  type SessionId,
} from "@podfleet/model/ids";
import { sessionSpecSchema } from "@podfleet/model/session";
import { type SessionOpenReply, sessionOpenReplySchema } from "@podfleet/protocol/host/session";
import { decodeFrame, encodeFrame, type Frame } from "@podfleet/protocol/stream/frame";
import { waitFor } from "@podfleet/testkit/wait-for";
import type { z } from "zod";

import type { SessionServer } from "./session-server.ts";

export interface TestClientOptions {
  readonly bus: Bus;
  readonly hostId: HostId;
  readonly server: SessionServer;
  readonly containerId: ContainerId;
  readonly spec?: z.input<typeof sessionSpecSchema>;
  readonly sessionId?: SessionId;
  readonly window?: number;
  /** Acknowledges output as it arrives. */
  readonly greedy?: boolean;
}

export class TestClient {
  readonly frames: Frame[] = [];
  /** How many beats have come; they are not among the frames. */
  beats = 0;
  opened!: SessionOpenReply;
  /** The offset up to which output has arrived without a hole. */
  offset = 0;
  send!: (frame: Frame | Uint8Array) => void;
  close!: () => void;
  #stdout: Buffer[] = [];

  static async open(options: TestClientOptions): Promise<TestClient> {
    const { bus, hostId, server, containerId, window = 256 * 1024, greedy = true } = options;
    const client = new TestClient();
    const connectionId = newConnectionId();
    const early: Frame[] = [];
    let take = (frame: Frame): void => void early.push(frame);
    const stream = await openClientStream(bus, {
      hostId,
      connectionId,
      onFrame: (bytes) => take(decodeFrame(Uint8Array.from(bytes))),
      onLost: () => undefined,
    });
    client.send = (frame) => stream.send(frame instanceof Uint8Array ? frame : encodeFrame(frame));
    client.close = () => stream.close();
    const request = {
      ...{ connectionId, containerId, window, caller: "ann", resume: false },
      sessionId: options.sessionId ?? newSessionId(),
      spec: sessionSpecSchema.parse(options.spec ?? {}),
    };
    const handle = server.handlers()["session.open"];
    client.opened = sessionOpenReplySchema.parse(
      await handle(request, new AbortController().signal),
    );
    client.offset = client.opened.offset;
    take = (frame) => client.#take(frame, greedy ? window : undefined);
    for (const frame of early) take(frame);
    return client;
  }

  get stdout(): Buffer {
    return Buffer.concat(this.#stdout);
  }

  /** Resolves with the first frame of that type. */
  async frame<Type extends Frame["type"]>(type: Type): Promise<Extract<Frame, { type: Type }>> {
    const found = await waitFor(() => this.frames.find((frame) => frame.type === type), {
      what: `a frame "${type}"`,
      timeoutMs: 10_000,
    });
    return found as Extract<Frame, { type: Type }>;
  }

  credit(window: number): void {
    this.send({ type: "credit", offset: this.offset, window });
  }

  #take(frame: Frame, window: number | undefined): void {
    if (frame.type === "beat") this.beats += 1;
    else this.frames.push(frame);
    if (frame.type === "gap") this.offset = frame.to;
    if (frame.type === "output") {
      if (frame.offset !== this.offset) throw new Error(`A hole before ${frame.offset}`);
      this.offset = frame.next;
      if (frame.stream === "stdout") this.#stdout.push(Buffer.from(frame.bytes));
      if (window !== undefined) this.credit(window);
    }
  }
}
