import type { Clock } from "@podfleet/base/clock";
import { PodfleetError } from "@podfleet/model/errors";
import type { ExecSession, TerminalSize } from "@podfleet/model/exec";
import type { ContainerId, ExecId } from "@podfleet/model/ids";
import { resizeTerminal } from "@podfleet/oci/monitor/terminal";

import type { EnginePaths } from "../host/engine-paths.ts";
import type { ExecStore } from "../state/exec-store.ts";
import type { StateStore } from "../state/state-store.ts";
import { assertRunning } from "./exec-state.ts";

export interface ExecReference {
  readonly containerId: ContainerId;
  readonly execId: ExecId;
}

export interface ExecSessionsParts {
  readonly clock: Pick<Clock, "sleep">;
  readonly paths: Pick<EnginePaths, "execBundle">;
  readonly store: Pick<StateStore, "findRemoved" | "get">;
  readonly execs: Pick<ExecStore, "find" | "get" | "listOf" | "onChange">;
}

/** Reads and waits for exec sessions, and resizes their terminals. No method takes a lock or changes a record. */
export class ExecSessions {
  readonly #parts: ExecSessionsParts;

  constructor(parts: ExecSessionsParts) {
    this.#parts = parts;
  }

  /**
   * Lists the sessions of the container, oldest first: those that run, and those that ended not long ago.
   * @throws PodfleetError CONTAINER_NOT_FOUND
   */
  list(containerId: ContainerId): ExecSession[] {
    const { execs, store } = this.#parts;
    if (!store.findRemoved(containerId)) store.get(containerId);
    return execs.listOf(containerId).map(({ session }) => session);
  }

  /** Returns the session. @throws PodfleetError EXEC_NOT_FOUND */
  inspect({ containerId, execId }: ExecReference): ExecSession {
    return this.#parts.execs.get(containerId, execId).session;
  }

  /**
   * Waits for the end of the session and returns it, or returns it as it is after `timeoutMs`.
   * @throws PodfleetError EXEC_NOT_FOUND, also when it is removed meanwhile; CANCELLED when `signal` is aborted
   */
  async wait(
    { timeoutMs, ...reference }: ExecReference & { readonly timeoutMs: number },
    signal?: AbortSignal,
  ): Promise<ExecSession> {
    const { clock, execs } = this.#parts;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = (): void => {
      const state = execs.find(reference.execId)?.session.state;
      if (state === undefined || state === "exited") resolve();
    };
    const cancel = (): void => reject(cancelled(reference.execId));
    const timer = new AbortController();
    const unsubscribe = execs.onChange(reference.execId, check);
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      if (signal?.aborted) cancel();
      check();
      const expiry = clock.sleep(timeoutMs, timer.signal);
      // Safe to ignore: the sleep rejects only because it is ended below.
      expiry.catch(() => undefined);
      await Promise.race([promise, expiry]);
      return this.inspect(reference);
    } finally {
      timer.abort();
      unsubscribe();
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Sets the size of the session's terminal. @throws PodfleetError EXEC_NOT_FOUND; STATE_INVALID unless it runs and has a terminal */
  async resize({ size, ...reference }: ExecReference & { readonly size: TerminalSize }) {
    const session = this.inspect(reference);
    assertRunning(session, "resize");
    if (!session.spec.tty) {
      throw new PodfleetError(
        "STATE_INVALID",
        `Cannot resize exec session "${session.id}": it was started without a terminal`,
        { details: { execId: session.id } },
      );
    }
    await resizeTerminal(this.#parts.paths.execBundle(session.id), size);
  }
}

function cancelled(id: ExecId): PodfleetError {
  return new PodfleetError(
    "CANCELLED",
    `Stopped waiting for exec session "${id}": the caller gave up`,
  );
}
