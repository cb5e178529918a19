/** The agent's side of requests to its host. */
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
 * What an agent does for each request. A PodfleetError that a handler throws is the reply; anything else becomes INTERNAL.
 * `signal` is aborted when the server stops.
 */
export type HostHandlers = {
  readonly [Name in keyof HostMessages]: (
    request: z.output<HostMessages[Name]["request"]>,
    signal: AbortSignal,
  ) => Promise<z.input<HostMessages[Name]["reply"]>>;
} & {
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
};

/** Requests of each kind under way at once. Long polls are cheap and many; the engine bounds what really works. */
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

/** Serves until `stop` is called, across reconnects. Resolves when the server has taken the subscriptions. */
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
  const addJson = <Schema extends z.ZodType>(
    name: keyof HostMessages,
    schema: Schema,
    handle: (request: z.output<Schema>, signal: AbortSignal) => Promise<unknown>,
  ): void => {
    add(name, async (message, signal) => {
      const request = parseRequest(name, schema, () => message.json());
      return { payload: encodeJson(await handle(request, signal)) };
    });
  };
  addJson("do", hostMessages.do.request, handlers.do);
  addJson("ping", hostMessages.ping.request, handlers.ping);
  addJson("loops", hostMessages.loops.request, handlers.loops);
  addJson("inspect", hostMessages.inspect.request, handlers.inspect);
  addJson("wait", hostMessages.wait.request, handlers.wait);
  addJson("exec.list", hostMessages["exec.list"].request, handlers["exec.list"]);
  addJson("exec.inspect", hostMessages["exec.inspect"].request, handlers["exec.inspect"]);
  addJson("exec.wait", hostMessages["exec.wait"].request, handlers["exec.wait"]);
  addJson("exec.resize", hostMessages["exec.resize"].request, handlers["exec.resize"]);
  addJson(
    "container.resize",
    hostMessages["container.resize"].request,
    handlers["container.resize"],
  );
  addJson("session.open", hostMessages["session.open"].request, handlers["session.open"]);
  addJson("session.list", hostMessages["session.list"].request, handlers["session.list"]);
  addJson("session.close", hostMessages["session.close"].request, handlers["session.close"]);
  addJson("stat", hostMessages.stat.request, handlers.stat);
  addJson("top", hostMessages.top.request, handlers.top);
  addJson("stats", hostMessages.stats.request, handlers.stats);
  addJson("artifact.list", hostMessages["artifact.list"].request, handlers["artifact.list"]);
  addJson("journal.locate", hostMessages["journal.locate"].request, handlers["journal.locate"]);
  addJson(
    "operation.settle",
    hostMessages["operation.settle"].request,
    handlers["operation.settle"],
  );
  addJson("transfer.open", hostMessages["transfer.open"].request, handlers["transfer.open"]);
  addJson("transfer.close", hostMessages["transfer.close"].request, handlers["transfer.close"]);
  add("journal.read", journalAnswer(handlers));
  add("transfer.read", transferAnswer(handlers));
  add("upload.chunk", uploadAnswer(handlers));
  await Promise.all([bus.control.subscribed(), bus.bulk.subscribed()]);
  return server;
}

type Answer = (message: Msg, signal: AbortSignal) => Promise<Reply>;

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
