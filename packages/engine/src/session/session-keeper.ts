/**
 * Ends sessions whose clients did not come back in time, commits what was noted of the others, and forgets those that ended long
 * enough ago.
 */
import type { Clock } from "@podfleet/base/clock";
import { pause } from "@podfleet/base/pause";
import type { Session } from "@podfleet/model/session";

import type { SessionRecord } from "../state/session-record.ts";
import type { SessionStore } from "../state/session-store.ts";
import { type SessionTargetSources, targetOf } from "./session-target.ts";

/** How much later an acknowledgement of a client is committed at most. */
const intervalMs = 1_000;
/** How long an ended session is kept. */
const keptMs = 10 * 60_000;

export interface SessionKeeperOptions {
  readonly parts: SessionTargetSources & {
    readonly clock: Clock;
    readonly sessions: Pick<SessionStore, "commitNoted" | "forget" | "list" | "note">;
  };
  readonly end: (session: Session, how: "expired" | "gone") => void;
  readonly onFailure: (error: unknown) => void;
}

export class SessionKeeper {
  readonly #options: SessionKeeperOptions;
  readonly #stop = new AbortController();
  readonly #stopped: Promise<void>;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
    this.#stopped = this.#run();
  }

  /** Does what is due. */
  look(): void {
    const { parts, onFailure } = this.#options;
    try {
      for (const record of parts.sessions.list()) this.#keep(record);
      parts.sessions.commitNoted();
    } catch (error) {
      onFailure(error);
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#stopped;
    this.#options.parts.sessions.commitNoted();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await pause(intervalMs, this.#stop.signal);
      this.look();
    }
  }

  #keep({ session, commandEnd }: SessionRecord): void {
    const { parts, end } = this.#options;
    const nowMs = parts.clock.nowMs();
    if (session.endedAt !== undefined) {
      if (nowMs - Date.parse(session.endedAt) > keptMs) parts.sessions.forget(session.id);
      return;
    }
    if (!commandEnd) {
      const state = targetOf(parts, session).state();
      if (state.is === "gone" && !session.connected) return end(session, "gone");
      if (state.is === "ended") parts.sessions.note(session.id, { commandEnd: state.end });
    }
    const { disconnectedAt, spec } = session;
    if (disconnectedAt === undefined) return;
    const dueMs = Date.parse(disconnectedAt) + spec.onDisconnect.afterSeconds * 1_000;
    if (nowMs >= dueMs) end(session, "expired");
  }
}
