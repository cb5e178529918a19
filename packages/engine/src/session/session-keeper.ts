/**
 * Ends sessions whose clients did not come back in time, commits what was noted of the others, and forgets those that ended long
 * enough ago.
 */
import { attemptAll } from "@podfleet/base/attempt-all";
import type { Clock } from "@podfleet/base/clock";
import { Loop, type LoopFailure } from "@podfleet/base/loop";
import type { SessionId } from "@podfleet/model/ids";
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
    readonly sessions: Pick<SessionStore, "commitNoted" | "forget" | "get" | "list" | "note">;
  };
  readonly end: (session: Session, how: "expired" | "gone") => void;
  readonly onFailure: (failure: LoopFailure) => void;
}

export class SessionKeeper {
  readonly loop: Loop;
  readonly #options: SessionKeeperOptions;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
    this.loop = new Loop({
      name: "session-keeper",
      intervalMs,
      clock: options.parts.clock,
      run: async () => await this.#look(),
      onFailure: options.onFailure,
    });
  }

  /** Does what is due for one session now. The loop does what fails. */
  keep(id: SessionId): void {
    const { parts, onFailure } = this.#options;
    try {
      this.#keep(parts.sessions.get(id));
    } catch (error) {
      onFailure({ name: this.loop.name, error, failures: 1 });
    }
  }

  async close(): Promise<void> {
    await this.loop.stop();
    this.#options.parts.sessions.commitNoted();
  }

  /** Does what is due. */
  async #look(): Promise<void> {
    const { sessions } = this.#options.parts;
    const steps = [
      async () => await attemptAll(sessions.list(), (record) => this.#keep(record)),
      () => sessions.commitNoted(),
    ];
    await attemptAll(steps, (step) => step(), 1);
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
