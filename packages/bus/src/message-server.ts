/** Answers requests from subjects, each in a span of the sender's trace, a bounded number at a time. */
import { headers, type Msg, type MsgHdrs } from "@nats-io/transport-node";
import { withDeadline } from "@podfleet/base/deadline";
import { PodfleetError } from "@podfleet/model/errors";

import type { Link } from "./link.ts";
import { encodeJson, errorHeaders } from "./payload.ts";
import { inProcessSpan, type MessageSpan } from "./trace-context.ts";

export interface Reply {
  readonly payload: Uint8Array;
  readonly headers?: MsgHdrs;
}

export interface Route {
  readonly link: Link;
  readonly subject: string;
  readonly queue?: string;
  /** Most requests at once; a further one is answered with UNAVAILABLE. */
  readonly requestsMax: number;
  readonly span: (message: Msg) => MessageSpan;
  readonly answer: (message: Msg, signal: AbortSignal) => Promise<Reply>;
}

const stopTimeoutMs = 2_000;

export class MessageServer {
  readonly #onFailure: (error: PodfleetError) => void;
  readonly #stopping = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  readonly #unsubscribe: (() => void)[] = [];

  /** @param onFailure called with defects (INTERNAL), and with errors of messages that expect no reply */
  constructor(onFailure: (error: PodfleetError) => void) {
    this.#onFailure = onFailure;
  }

  add(route: Route): void {
    let count = 0;
    const onMessage = (message: Msg): void => {
      if (count >= route.requestsMax) return respond(route, message, failed(busy(route)));
      count += 1;
      const serving = this.#serve(route, message).finally(() => {
        count -= 1;
        this.#underWay.delete(serving);
      });
      this.#underWay.add(serving);
    };
    this.#unsubscribe.push(route.link.subscribe(route.subject, onMessage, route.queue));
  }

  /** Stops taking requests, aborts the signals of those under way, and waits up to 2 s for their replies. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#stopping.abort();
    await withDeadline(Promise.all(this.#underWay), stopTimeoutMs, () => {
      return new PodfleetError("TIMEOUT", `${this.#underWay.size} requests did not end`);
    });
  }

  async #serve(route: Route, message: Msg): Promise<void> {
    const answer = async (): Promise<Reply> => route.answer(message, this.#stopping.signal);
    try {
      respond(route, message, await inProcessSpan(route.span(message), message, answer));
    } catch (cause) {
      const error = PodfleetError.from(cause);
      if (error.code === "INTERNAL" || !message.reply) this.#onFailure(error);
      respond(route, message, failed(error));
    }
  }
}

/** An error reply, as JSON and as a header, so that it serves both JSON and binary requests. */
function failed(error: PodfleetError): Reply {
  return { payload: encodeJson({ error: error.toWire() }), headers: errorHeaders(error) };
}

/** Sends a reply. It is dropped when the link is down: after a reconnect the server no longer knows the request. */
function respond(route: Route, message: Msg, reply: Reply): void {
  if (!message.reply || !route.link.connected) return;
  message.respond(reply.payload, { headers: reply.headers ?? headers() });
}

function busy(route: Route): PodfleetError {
  return new PodfleetError(
    "UNAVAILABLE",
    `Cannot take the request: ${route.requestsMax} of its kind are under way`,
    { details: { delivered: false } },
  );
}
