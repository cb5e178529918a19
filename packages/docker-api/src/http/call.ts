/** What a handler of the Docker API works with. */
import type { IncomingHttpHeaders } from "node:http";

import { type Client, createClient } from "@podfleet/client/client";

export interface CallerOptions {
  /** Where the control plane listens, once it does. */
  readonly url: () => string;
  /** Whoever calls is this token's holder; without, callers present tokens of their own. */
  readonly token?: string | undefined;
}

export interface StreamingOptions extends CallerOptions {
  /** Aborted when the server is about to end: what is open then is closed. */
  readonly closing: AbortSignal;
}

/** Of a route that may have `/v1.NN` before it. */
export interface VersionedRoute {
  Params: { readonly apiVersion?: string };
}

/** A client that may do what the caller may. One without a token is refused by the control plane. */
export function clientOf({ url, token }: CallerOptions, headers: IncomingHttpHeaders): Client {
  const presented = /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
  const { traceparent } = headers;
  return createClient({
    url: url(),
    token: token ?? presented ?? "",
    ...(typeof traceparent === "string" ? { traceparent } : {}),
  });
}
