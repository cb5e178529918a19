/** The API for callers within the process: the same procedures, with the same checks and spans, and no HTTP. */
import { PodfleetError } from "@podfleet/model/errors";
import { createTRPCRecursiveProxy, isTrackedEnvelope } from "@trpc/server";

import type { ApiContext } from "./procedures/context.ts";
import { wireErrorOf } from "./procedures/error-shape.ts";
import { appRouter } from "./router.ts";

/** Calls, and subscriptions while they are read, reject with a PodfleetError. */
export type LocalApi = ReturnType<typeof appRouter.createCaller>;

export interface LocalApiOptions {
  /** Cancels the calls. */
  readonly signal?: AbortSignal | undefined;
  /** Called with defects. */
  readonly onDefect: (error: unknown, path: string | undefined) => void;
}

/** @returns the procedures as `context` may call them: `api.containers.inspect({ container: "web" })` */
export function createLocalApi(context: ApiContext, options: LocalApiOptions): LocalApi {
  const { signal, onDefect } = options;
  const caller = appRouter.createCaller(context, signal ? { signal } : {});
  const failureOf = (error: unknown, path: readonly string[], input: unknown): PodfleetError => {
    const { findFailure } = context.services.system;
    const { code, message, details } = wireErrorOf(error, { findFailure, input });
    if (code === "INTERNAL") onDefect(error, path.join("."));
    return new PodfleetError(code, message, { cause: error, ...(details ? { details } : {}) });
  };
  return createTRPCRecursiveProxy<LocalApi>(async ({ path, args: [input] }) => {
    const fail = (error: unknown): PodfleetError => failureOf(error, path, input);
    try {
      const answer = await procedureAt(caller, path)(input);
      return isAsyncIterable(answer) ? eventsOf(answer, fail) : answer;
    } catch (error) {
      throw fail(error);
    }
  });
}

function procedureAt(caller: LocalApi, path: readonly string[]) {
  let found: unknown = caller;
  for (const name of path) found = (found as Readonly<Record<string, unknown>>)[name];
  return found as (input: unknown) => Promise<unknown>;
}

function isAsyncIterable(answer: unknown): answer is AsyncIterable<unknown> {
  return typeof answer === "object" && answer !== null && Symbol.asyncIterator in answer;
}

/** The events of a subscription, typed. */
async function* eventsOf(
  yielded: AsyncIterable<unknown>,
  fail: (error: unknown) => PodfleetError,
): AsyncGenerator<unknown, void> {
  try {
    for await (const event of yielded) {
      yield isTrackedEnvelope(event) ? { id: event[0], data: event[1] } : event;
    }
  } catch (error) {
    throw fail(error);
  }
}
