/** Serves agents' messages in the control plane. Replicas share them through one queue group. */
import type { Msg } from "@nats-io/transport-node";
import { type HostId, hostIdSchema } from "@podfleet/model/ids";
import { agentMessageSchemas } from "@podfleet/protocol/messages";
import {
  type AgentMessage,
  anyAgentSubject,
  controlPlaneQueue,
  hostIdOfSubject,
} from "@podfleet/protocol/subject";
import type { z } from "zod";

import type { Bus } from "./connection.ts";
import { MessageServer } from "./message-server.ts";
import { encodeJson, parseRequest } from "./payload.ts";
import type { MessageSpan } from "./trace-context.ts";

type Schemas = typeof agentMessageSchemas;

/** Handlers of agents' messages. `hostId` comes from the subject, which the NATS server lets only that host's agent use. */
export interface AgentHandlers {
  readonly hello: (
    hostId: HostId,
    request: z.output<Schemas["hello"]["request"]>,
  ) => Promise<z.input<Schemas["hello"]["reply"]>>;
  readonly events: (
    hostId: HostId,
    request: z.output<Schemas["events"]["request"]>,
  ) => Promise<z.input<Schemas["events"]["reply"]>>;
  readonly heartbeat: (
    hostId: HostId,
    heartbeat: z.output<Schemas["heartbeat"]["message"]>,
  ) => Promise<void>;
  /** `otlp` is an ExportTraceServiceRequest as protobuf. */
  readonly spans: (hostId: HostId, otlp: Uint8Array) => Promise<void>;
}

/** Most messages of each kind that a replica handles at once. */
const messagesMax = 1_024;

/** Serves until `stop` is called, across reconnects. Resolves when the NATS server has the subscriptions. */
export async function serveAgents(bus: Bus, handlers: AgentHandlers): Promise<MessageServer> {
  const server = new MessageServer((error) => bus.emit({ type: "error", link: "control", error }));
  const add = (name: AgentMessage, answer: Answer): void => {
    server.add({
      link: bus.control,
      subject: anyAgentSubject(name),
      queue: controlPlaneQueue,
      requestsMax: messagesMax,
      span: (message) => spanOf(name, message),
      answer: async (message) => ({
        payload: encodeJson((await answer(hostIdOf(message), message)) ?? {}),
      }),
    });
  };
  const { hello, events, heartbeat } = agentMessageSchemas;
  add("hello", async (hostId, message) =>
    handlers.hello(
      hostId,
      parseRequest("hello", hello.request, () => message.json()),
    ),
  );
  add("events", async (hostId, message) =>
    handlers.events(
      hostId,
      parseRequest("events", events.request, () => message.json()),
    ),
  );
  add("heartbeat", async (hostId, message) =>
    handlers.heartbeat(
      hostId,
      parseRequest("heartbeat", heartbeat.message, () => message.json()),
    ),
  );
  add("spans", async (hostId, message) => handlers.spans(hostId, message.data));
  await bus.control.subscribed();
  return server;
}

type Answer = (hostId: HostId, message: Msg) => Promise<unknown>;

function hostIdOf(message: Msg): HostId {
  return hostIdSchema.parse(hostIdOfSubject(message.subject));
}

function spanOf(name: AgentMessage, message: Msg): MessageSpan {
  return {
    message: name,
    subject: message.subject,
    attributes: { "podfleet.host.id": hostIdOfSubject(message.subject) },
  };
}
