import type { AppRouter } from "@podfleet/api/router";
import { apiTransformer } from "@podfleet/protocol/api-value";
import {
  createTRPCClientProxy,
  httpLink,
  splitLink,
  TRPCClientError,
  TRPCUntypedClient,
} from "@trpc/client";
import type { TRPCClient, TRPCLink, TRPCRequestOptions } from "@trpc/client";
import type { inferRouterInputs, inferRouterOutputs } from "@trpc/server";
import { observable } from "@trpc/server/observable";

import type { Connection } from "./connection.ts";
import { failureOf } from "./failure.ts";
import { subscribe } from "./subscription.ts";

/** All procedures of the control plane: `api.containers.create.mutate({ spec })`. */
export type Api = TRPCClient<AppRouter>;
export type ApiInputs = inferRouterInputs<AppRouter>;
export type ApiOutputs = inferRouterOutputs<AppRouter>;

/** Calls reject with a PodfleetError. A subscription's `onError` gets a TRPCClientError with a PodfleetError as its cause. */
export function createApi(connection: Connection): Api {
  return createTRPCClientProxy(new ApiClient(connection));
}

class ApiClient extends TRPCUntypedClient<AppRouter> {
  constructor(connection: Connection) {
    super({
      links: [
        splitLink({
          condition: (operation) => operation.type === "subscription",
          true: subscriptionLink(connection),
          false: httpLink({
            url: `${connection.url}/trpc`,
            transformer: apiTransformer,
            fetch: async (target, init) => await fetchJson(connection, target, init as RequestInit),
          }),
        }),
      ],
    });
  }

  override async query(path: string, input?: unknown, options?: TRPCRequestOptions) {
    try {
      return await super.query(path, input, options);
    } catch (error) {
      throw failureOf(error);
    }
  }

  override async mutation(path: string, input?: unknown, options?: TRPCRequestOptions) {
    try {
      return await super.mutation(path, input, options);
    } catch (error) {
      throw failureOf(error);
    }
  }
}

async function fetchJson(
  connection: Connection,
  target: string | URL | Request,
  init: RequestInit,
): Promise<Response> {
  const response = await connection.fetch(target instanceof Request ? target.url : target, init);
  if (response.headers.get("content-type")?.startsWith("application/json")) return response;
  throw await connection.unexpected(response);
}

/** Terminating link of subscriptions, which survive outages. */
function subscriptionLink(connection: Connection): TRPCLink<AppRouter> {
  return () =>
    ({ op }) =>
      observable((observer) => {
        const abort = new AbortController();
        const signal = op.signal ? AbortSignal.any([op.signal, abort.signal]) : abort.signal;
        const relay = async (): Promise<void> => {
          const request = { path: op.path, input: (op.input ?? {}) as object };
          for await (const { id, data } of subscribe(connection, request, { signal })) {
            observer.next({ result: { id, data: { id, data } } });
          }
          observer.complete();
        };
        relay().catch((error: unknown) => {
          if (!abort.signal.aborted) observer.error(TRPCClientError.from(failureOf(error)));
        });
        return () => abort.abort();
      });
}
