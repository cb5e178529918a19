/** What a handler of the Docker API works with. */
import type { IncomingHttpHeaders } from "node:http";

import { createLocalApi, type LocalApi } from "@podfleet/api/local-api";
import type { ApiContext } from "@podfleet/api/procedures/context";
import type { SessionRequest } from "@podfleet/protocol/session/session-request";
import type { SessionStream } from "@podfleet/protocol/session/session-stream";

export interface CallerOptions {
  /**
   * Who sends these headers, and what they may call.
   * @throws PodfleetError UNAUTHENTICATED
   */
  readonly contextOf: (headers: IncomingHttpHeaders) => Promise<ApiContext>;
  /** Told of failures that are podfleet's own. */
  readonly onDefect: (error: unknown, path: string | undefined) => void;
}

export interface StreamingOptions extends CallerOptions {
  /** Aborted when the server is about to end: what is open then is closed. */
  readonly closing: AbortSignal;
}

/** Of a route that may have `/v1.NN` before it. */
export interface VersionedRoute {
  Params: { readonly apiVersion?: string };
}

/** podfleet as one caller of Docker's API may use it. */
export interface DockerCaller {
  readonly api: LocalApi;
  /** The same; its calls are cut short when the signal is aborted. */
  readonly apiUntil: (signal: AbortSignal) => LocalApi;
  /** @throws PodfleetError what opening it fails with; CANCELLED when the signal is aborted */
  readonly openSession: (request: SessionRequest, signal: AbortSignal) => Promise<SessionStream>;
}

/** @throws PodfleetError UNAUTHENTICATED */
export async function callerOf(
  { contextOf, onDefect }: CallerOptions,
  headers: IncomingHttpHeaders,
): Promise<DockerCaller> {
  const context = await contextOf(headers);
  const { services, ...origin } = context;
  return {
    api: createLocalApi(context, { onDefect }),
    apiUntil: (signal) => createLocalApi(context, { onDefect, signal }),
    openSession: async (request, signal) =>
      await services.sessions.open({ ...request, ...origin }, signal),
  };
}
