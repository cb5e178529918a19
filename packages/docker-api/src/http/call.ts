/** The context of a call of the Docker API. */
import type { IncomingHttpHeaders } from "node:http";

import { createLocalApi, type LocalApi } from "@podfleet/api/local-api";
import type { ApiContext } from "@podfleet/api/procedures/context";
import { wireErrorOf } from "@podfleet/api/procedures/error-shape";
import { PodfleetError } from "@podfleet/model/errors";
import type { SessionRequest } from "@podfleet/protocol/session/session-request";
import type { SessionStream } from "@podfleet/protocol/session/session-stream";

export interface CallerOptions {
  /**
   * Authenticates the caller who sends these headers.
   * @throws PodfleetError UNAUTHENTICATED
   */
  readonly contextOf: (headers: IncomingHttpHeaders) => Promise<ApiContext>;
  /** Called with defects. */
  readonly onDefect: (error: unknown, path: string | undefined) => void;
}

export interface StreamingOptions extends CallerOptions {
  /** Aborted when the server is about to end: open streams are closed then. */
  readonly closing: AbortSignal;
}

/** The parameters of a route with an optional prefix `/v1.NN`. */
export interface VersionedRoute {
  Params: { readonly apiVersion?: string };
}

/** podfleet's API for one caller of the Docker API. */
export interface DockerCaller {
  readonly api: LocalApi;
  /** The API, whose calls are cancelled when the signal is aborted. */
  readonly apiUntil: (signal: AbortSignal) => LocalApi;
  /** @throws PodfleetError errors of opening it; CANCELLED when the signal is aborted */
  readonly openSession: (request: SessionRequest, signal: AbortSignal) => Promise<SessionStream>;
}

/** @throws PodfleetError UNAUTHENTICATED */
export async function callerOf(
  { contextOf, onDefect }: CallerOptions,
  headers: IncomingHttpHeaders,
): Promise<DockerCaller> {
  const context = await contextOf(headers).catch((error: unknown) => {
    throw asFailure(error, onDefect);
  });
  const { services, ...origin } = context;
  return {
    api: createLocalApi(context, { onDefect }),
    apiUntil: (signal) => createLocalApi(context, { onDefect, signal }),
    openSession: async (request, signal) =>
      await services.sessions.open({ ...request, ...origin }, signal),
  };
}

/** The failure that the caller is told; a defect is reported, and its details stay in the process. */
function asFailure(error: unknown, onDefect: CallerOptions["onDefect"]): PodfleetError {
  if (error instanceof PodfleetError) return error;
  onDefect(error, undefined);
  return PodfleetError.fromWire(wireErrorOf(error, {}));
}
