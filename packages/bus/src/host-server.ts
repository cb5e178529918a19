/** Serves the control plane's requests in an agent. */
import { headers, type Msg } from "@nats-io/transport-node";
import type { HostId } from "@podfleet/model/ids";
import type { JournalReadHeaders, JournalReadRequest } from "@podfleet/protocol/host/journal";
import type { TransferReadHeaders, TransferReadRequest } from "@podfleet/protocol/host/transfer";
import type { UploadChunkHeaders, UploadChunkReply } from "@podfleet/protocol/host/upload-chunk";
import { hostBulkMessages, hostMessages } from "@podfleet/protocol/messages";
import { type HostRequest, hostSubject } from "@podfleet/protocol/subject";
import type { z } from "zod";

import type { Bus } from "./connection.ts";
import { MessageServer, type Reply } from "./message-server.ts";
import { encodeJson, headerValues, parseRequest, setHeaders } from "./payload.ts";

type HostMessages = typeof hostMessages;

/**
 * Handlers of an agent's requests. A PodfleetError that a handler throws is the reply; any other error becomes INTERNAL. `signal` is
 * aborted when the server stops.
 */
export type HostHandlers = JsonHandlers & BulkHandlers;

type JsonHandlers = {
  readonly [Name in keyof HostMessages]: (
    request: z.output<HostMessages[Name]["request"]>,
    signal: AbortSignal,
  ) => Promise<z.input<HostMessages[Name]["reply"]>>;
};

interface BulkHandlers {
  readonly "journal.read": (
    request: JournalReadRequest,
    signal: AbortSignal,
  ) => Promise<JournalReadHeaders & { readonly bytes: Uint8Array }>;
  readonly "transfer.read": (
    request: TransferReadRequest,
    signal: AbortSignal,
  ) => Promise<TransferReadHeaders & { readonly bytes: Uint8Array }>;
  readonly "upload.chunk": (
    chunk: UploadChunkHeaders & { readonly bytes: Uint8Array },
    signal: AbortSignal,
  ) => Promise<UploadChunkReply>;
}

/** Most requests of each kind at once. Long polls are cheap and many; the engine bounds its own work. */
const requestsMax: Readonly<Record<HostRequest, number>> = {
  do: 2_048,
  ping: 64,
  loops: 64,
  inspect: 512,
  wait: 8_192,
  "exec.list": 512,
  "exec.inspect": 512,
  "exec.wait": 8_192,
  "exec.resize": 512,
  "container.resize": 512,
  "session.open": 2_048,
  "session.list": 64,
  "session.close": 512,
  stat: 64,
  top: 64,
  stats: 512,
  "artifact.list": 64,
  "journal.locate": 128,
  "journal.read": 2_048,
  "operation.settle": 2_048,
  "upload.chunk": 16,
  "transfer.open": 32,
  "transfer.read": 128,
  "transfer.close": 128,
};

/** Serves until `stop` is called, across reconnects. Resolves when the NATS server has the subscriptions. */
export async function serveHost(
  bus: Bus,
  hostId: HostId,
  handlers: HostHandlers,
): Promise<MessageServer> {
  const server = new MessageServer((error) => bus.emit({ type: "error", link: "control", error }));
  const add = (name: HostRequest, answer: Answer): void => {
    server.add({
      link: name in hostBulkMessages ? bus.bulk : bus.control,
      subject: hostSubject(hostId, name),
      requestsMax: requestsMax[name],
      span: (message) => ({
        message: name,
        subject: message.subject,
        attributes: { "podfleet.host.id": hostId },
      }),
      answer,
    });
  };
  for (const name of Object.keys(hostMessages) as (keyof HostMessages)[]) {
    add(name, jsonAnswer(name, handlers));
  }
  add("journal.read", journalAnswer(handlers));
  add("transfer.read", transferAnswer(handlers));
  add("upload.chunk", uploadAnswer(handlers));
  await Promise.all([bus.control.subscribed(), bus.bulk.subscribed()]);
  return server;
}

type Answer = (message: Msg, signal: AbortSignal) => Promise<Reply>;

function jsonAnswer<Name extends keyof HostMessages>(name: Name, handlers: JsonHandlers): Answer {
  const schema: z.ZodType = hostMessages[name].request;
  return async (message, signal) => {
    const request = parseRequest(name, schema, () => message.json());
    const parsed = request as z.output<HostMessages[Name]["request"]>;
    return { payload: encodeJson(await handlers[name](parsed, signal)) };
  };
}

function journalAnswer(handlers: HostHandlers): Answer {
  const schema = hostBulkMessages["journal.read"].request;
  return async (message, signal) => {
    const request = parseRequest("journal.read", schema, () => message.json());
    const { bytes, ...place } = await handlers["journal.read"](request, signal);
    return { payload: bytes, headers: setHeaders(headers(), place) };
  };
}

function transferAnswer(handlers: HostHandlers): Answer {
  const schema = hostBulkMessages["transfer.read"].request;
  return async (message, signal) => {
    const request = parseRequest("transfer.read", schema, () => message.json());
    const { bytes, next, ended } = await handlers["transfer.read"](request, signal);
    return { payload: bytes, headers: setHeaders(headers(), { next, ended }) };
  };
}

function uploadAnswer(handlers: HostHandlers): Answer {
  const schema = hostBulkMessages["upload.chunk"].requestHeaders;
  return async (message, signal) => {
    const chunk = parseRequest("upload.chunk", schema, () => headerValues(message, schema));
    const value = await handlers["upload.chunk"]({ ...chunk, bytes: message.data }, signal);
    return { payload: encodeJson(value) };
  };
}
