/** Sends an agent's messages to the control plane. */
import { headers } from "@nats-io/transport-node";
import { PodfleetError } from "@podfleet/model/errors";
import type { HostId } from "@podfleet/model/ids";
import type { EventsReply } from "@podfleet/protocol/agent/events";
import type { Heartbeat } from "@podfleet/protocol/agent/heartbeat";
import type { HelloReply } from "@podfleet/protocol/agent/hello";
import { agentMessageSchemas } from "@podfleet/protocol/messages";
import { agentSubject } from "@podfleet/protocol/subject";
import type { z } from "zod";

import type { Bus } from "./connection.ts";
import type { Delivered } from "./link.ts";
import { encodeJson, parseReply, replyValue } from "./payload.ts";
import { inSendSpan } from "./trace-context.ts";

export interface AgentRequestOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Every method throws the error that the control plane replied with, or UNAVAILABLE when no replica answers or NATS cannot be
 * reached, with `details.delivered` as in HostClient. The agent then retries.
 */
export class AgentClient {
  readonly #bus: Bus;
  readonly #hostId: HostId;

  constructor(bus: Bus, hostId: HostId) {
    this.#bus = bus;
    this.#hostId = hostId;
  }

  async hello(
    request: z.input<typeof agentMessageSchemas.hello.request>,
    options: AgentRequestOptions,
  ): Promise<HelloReply> {
    return await this.#request("hello", request, options);
  }

  /** Resolves when the events up to `committedSeq` are in Postgres. A batch has at most 256 events and 1 MiB. */
  async sendEvents(
    request: z.input<typeof agentMessageSchemas.events.request>,
    options: AgentRequestOptions,
  ): Promise<EventsReply> {
    return await this.#request("events", request, options);
  }

  /** Publishes without waiting for a reply. */
  heartbeat(heartbeat: Heartbeat): void {
    const subject = agentSubject(this.#hostId, "heartbeat");
    this.#bus.control.publish(subject, encodeJson(heartbeat), headers());
  }

  /** `otlp` is an ExportTraceServiceRequest as protobuf. Resolves when a replica has received it. */
  async sendSpans(otlp: Uint8Array, options: AgentRequestOptions): Promise<void> {
    const reply = await this.#bus.control.request(agentSubject(this.#hostId, "spans"), otlp, {
      headers: headers(),
      ...options,
      unreachable,
    });
    replyValue(reply);
  }

  async #request<Name extends "hello" | "events">(
    name: Name,
    request: z.input<(typeof agentMessageSchemas)[Name]["request"]>,
    options: AgentRequestOptions,
  ): Promise<z.output<(typeof agentMessageSchemas)[Name]["reply"]>> {
    const subject = agentSubject(this.#hostId, name);
    const span = { message: name, subject, attributes: { "podfleet.host.id": this.#hostId } };
    return await inSendSpan(span, async (context) => {
      const reply = await this.#bus.control.request(subject, encodeJson(request), {
        headers: context,
        ...options,
        unreachable,
      });
      const parsed = parseReply(name, agentMessageSchemas[name].reply, () => replyValue(reply));
      return parsed as z.output<(typeof agentMessageSchemas)[Name]["reply"]>;
    });
  }
}

function unreachable(delivered: Delivered, cause: unknown): PodfleetError {
  const reason = delivered === false ? "no replica is connected" : "no replica answered in time";
  return new PodfleetError("UNAVAILABLE", `Cannot reach the control plane: ${reason}`, {
    details: { delivered },
    cause,
  });
}
