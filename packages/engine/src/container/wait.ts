import type { Clock } from "@podfleet/base/clock";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { findWaitMet, runWaitedFor, type WaitCondition } from "@podfleet/model/container/wait";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";

import type { StateStore } from "../state/state-store.ts";

export interface WaitParts {
  readonly clock: Clock;
  readonly store: Pick<StateStore, "find" | "findExit" | "findRemoved" | "get" | "onChange">;
}

export interface WaitRequest {
  readonly containerId: ContainerId;
  readonly condition: WaitCondition;
  /** The run to wait for, from an earlier answer; chosen when absent. */
  readonly run?: number | undefined;
  readonly timeoutMs: number;
}

export type WaitAnswer =
  | {
      readonly state: "met";
      readonly run: number;
      /** Absent when it is unknown, or the condition has none. */
      readonly exitCode?: number;
      readonly exitUnknown: boolean;
      readonly container: ContainerSnapshot;
    }
  | { readonly state: "pending"; readonly run: number };

/**
 * Resolves when the condition is met, woken by the commit that meets it; with `pending` after `timeoutMs`. A container removed
 * meanwhile, or not long ago, still gives the exit of its runs.
 * @throws PodfleetError CONTAINER_NOT_FOUND, also when it was removed and can never meet the condition; CANCELLED
 * when `signal` is aborted
 */
export async function waitForContainer(
  { store, clock }: WaitParts,
  request: WaitRequest,
  signal?: AbortSignal,
): Promise<WaitAnswer> {
  const { containerId: id, condition, timeoutMs } = request;
  const run = request.run ?? runWaitedFor(condition, currentSnapshot(store, id));
  const met = Promise.withResolvers<WaitAnswer>();
  const check = (): void => {
    try {
      const answer = answerNow(store, id, { condition, run });
      if (answer) met.resolve(answer);
    } catch (error) {
      met.reject(error);
    }
  };
  const cancel = (): void => met.reject(cancelled(id));
  const timer = new AbortController();
  const unsubscribe = store.onChange(id, check);
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    if (signal?.aborted) cancel();
    check();
    const expiry = clock
      .sleep(timeoutMs, timer.signal)
      .then(() => ({ state: "pending", run }) as const);
    // Safe to ignore: the sleep rejects only because it is ended below.
    expiry.catch(() => undefined);
    return await Promise.race([met.promise, expiry]);
  } finally {
    timer.abort();
    unsubscribe();
    signal?.removeEventListener("abort", cancel);
  }
}

type Store = WaitParts["store"];

function currentSnapshot(store: Store, id: ContainerId): ContainerSnapshot {
  return store.find(id)?.snapshot ?? store.findRemoved(id) ?? store.get(id).snapshot;
}

function answerNow(
  store: Store,
  id: ContainerId,
  wait: { readonly condition: WaitCondition; readonly run: number },
): WaitAnswer | undefined {
  const container = currentSnapshot(store, id);
  const removed = store.find(id) === undefined;
  const met = findWaitMet(wait, container, removed);
  if (met?.by === "exit") return metByExit(store, container, met.run);
  if (met) return { state: "met", run: met.run, exitUnknown: false, container };
  // Throws: what is removed changes no more.
  if (removed) store.get(id);
  return undefined;
}

function metByExit(store: Store, container: ContainerSnapshot, run: number): WaitAnswer {
  const exit = run === 0 ? undefined : store.findExit(container.id, run);
  const exitCode = exit?.exitCode ?? undefined;
  return {
    state: "met",
    run,
    ...(exitCode === undefined ? {} : { exitCode }),
    exitUnknown: run > 0 && exitCode === undefined,
    container,
  };
}

function cancelled(id: ContainerId): PodfleetError {
  return new PodfleetError(
    "CANCELLED",
    `Stopped waiting for container "${id}": the caller gave up`,
  );
}
