/** Sends the control plane's requests to a host's agent. */
import type { Msg } from "@nats-io/transport-node";
import { PodfleetError } from "@podfleet/model/errors";
import type { HostId } from "@podfleet/model/ids";
import type { JournalReadHeaders, JournalReadRequest } from "@podfleet/protocol/host/journal";
import type { TransferReadHeaders, TransferReadRequest } from "@podfleet/protocol/host/transfer";
import type { UploadChunkHeaders, UploadChunkReply } from "@podfleet/protocol/host/upload-chunk";
import { hostBulkMessages, hostMessages } from "@podfleet/protocol/messages";
import { type HostRequest, hostSubject } from "@podfleet/protocol/subject";
import type { z } from "zod";

import type { Bus } from "./connection.ts";
import type { Delivered, Link } from "./link.ts";
import {
  assertNoErrorHeader,
  encodeJson,
  headerValues,
  parseReply,
  replyValue,
  setHeaders,
} from "./payload.ts";
import { inSendSpan } from "./trace-context.ts";

type HostMessages = typeof hostMessages;

export interface HostRequestOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface JournalChunk extends JournalReadHeaders {
  readonly bytes: Uint8Array;
}

export interface TransferChunk extends TransferReadHeaders {
  readonly bytes: Uint8Array;
}

/**
 * Every method throws the error that the agent replied with, or one of these, where `details.delivered` is `false` when the request
 * has certainly not reached the agent and `"unknown"` otherwise:
 *
 *     HOST_UNREACHABLE  false      no agent of that host is connected
 *     HOST_UNREACHABLE  "unknown"  no reply within `timeoutMs`
 *     UNAVAILABLE       either     this process's own connection to NATS is down, or went down meanwhile
 *     CANCELLED         either     `signal` was aborted
 */
export class HostClient {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** `client.request(hostId, "inspect", { payload: { containerId }, timeoutMs: 5_000 })` */
  async request<Name extends keyof HostMessages>(
    hostId: HostId,
    name: Name,
    options: HostRequestOptions & {
      readonly payload: z.input<HostMessages[Name]["request"]>;
    },
  ): Promise<z.output<HostMessages[Name]["reply"]>> {
    const call = { link: this.#bus.control, hostId, name, ...options };
    return await send(call, { payload: encodeJson(options.payload) }, (reply) => {
      const parsed = parseReply(name, hostMessages[name].reply, () => replyValue(reply));
      return parsed as z.output<HostMessages[Name]["reply"]>;
    });
  }

  /** Reads whole records of the journal file from `request.offset` on; empty when there were none within `waitMs`. */
  async readJournal(
    hostId: HostId,
    request: JournalReadRequest,
    options: HostRequestOptions,
  ): Promise<JournalChunk> {
    const call = { link: this.#bus.bulk, hostId, name: "journal.read", ...options } as const;
    return await send(call, { payload: encodeJson(request) }, (reply) => {
      assertNoErrorHeader(reply);
      const schema = hostBulkMessages["journal.read"].replyHeaders;
      const parsed = parseReply(call.name, schema, () => headerValues(reply, schema));
      return { ...parsed, bytes: reply.data };
    });
  }

  /** Reads the next bytes of an open transfer, or the last ones once more. */
  async readTransfer(
    hostId: HostId,
    request: TransferReadRequest,
    options: HostRequestOptions,
  ): Promise<TransferChunk> {
    const call = { link: this.#bus.bulk, hostId, name: "transfer.read", ...options } as const;
    return await send(call, { payload: encodeJson(request) }, (reply) => {
      assertNoErrorHeader(reply);
      const schema = hostBulkMessages["transfer.read"].replyHeaders;
      const parsed = parseReply(call.name, schema, () => headerValues(reply, schema));
      return { ...parsed, bytes: reply.data };
    });
  }

  /** `bytes` holds at most `uploadChunkBytesMax`. */
  async sendUploadChunk(
    hostId: HostId,
    chunk: UploadChunkHeaders & { readonly bytes: Uint8Array },
    options: HostRequestOptions,
  ): Promise<UploadChunkReply> {
    const { bytes, uploadId, offset } = chunk;
    const call = { link: this.#bus.bulk, hostId, name: "upload.chunk", ...options } as const;
    return await send(call, { payload: bytes, headers: { uploadId, offset } }, (reply) => {
      const schema = hostBulkMessages["upload.chunk"].reply;
      return parseReply(call.name, schema, () => replyValue(reply));
    });
  }
}

interface Call extends HostRequestOptions {
  readonly link: Link;
  readonly hostId: HostId;
  readonly name: HostRequest;
}

interface Body {
  readonly payload: Uint8Array;
  readonly headers?: Readonly<Record<string, string | number>>;
}

async function send<T>(call: Call, body: Body, read: (reply: Msg) => T): Promise<T> {
  const subject = hostSubject(call.hostId, call.name);
  const span = {
    message: call.name,
    subject,
    attributes: { "podfleet.host.id": call.hostId },
  };
  return await inSendSpan(span, async (context) => {
    const reply = await call.link.request(subject, body.payload, {
      headers: setHeaders(context, body.headers ?? {}),
      timeoutMs: call.timeoutMs,
      signal: call.signal,
      unreachable: (delivered, cause) => hostUnreachable(call, delivered, cause),
    });
    return read(reply);
  });
}

function hostUnreachable(call: Call, delivered: Delivered, cause: unknown): PodfleetError {
  const reason =
    delivered === false
      ? "its agent is not connected"
      : `its agent did not answer within ${call.timeoutMs} ms`;
  return new PodfleetError("HOST_UNREACHABLE", `Cannot reach host "${call.hostId}": ${reason}`, {
    details: { hostId: call.hostId, delivered },
    cause,
  });
}
