import { existsSync } from "node:fs";

import type { Clock } from "@podfleet/base/clock";
import type { Loop, LoopFailure } from "@podfleet/base/loop";
import type { ForwarderCgroup } from "@podfleet/journal/input/input-forwarder";
import { assertBoundary } from "@podfleet/journal/record/boundary";
import { wholeJournalLength } from "@podfleet/journal/record/whole-length";
import type { Action } from "@podfleet/model/action";
import type { ContainerId, SessionId } from "@podfleet/model/ids";
import type { CommandExit, Session, SessionSpec } from "@podfleet/model/session";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import { traced } from "@podfleet/oci/process/trace";

import type { EnginePaths } from "../host/engine-paths.ts";
import type { ExecStore } from "../state/exec-store.ts";
import type { SessionStore } from "../state/session-store.ts";
import type { StateStore } from "../state/state-store.ts";
import { Attachment, type AttachmentOwner, type Holder } from "./attachment.ts";
import { endUnattended } from "./end-unattended.ts";
import { SessionInput } from "./session-input.ts";
import { SessionInputs } from "./session-inputs.ts";
import { SessionKeeper } from "./session-keeper.ts";
import type { SessionOpening } from "./session-opening.ts";
import {
  assertInputFree,
  assertResumable,
  assertRoom,
  sessionEnded,
  takenOver,
} from "./session-refusal.ts";
import { type SessionTarget, type SessionTargetSources, targetOf } from "./session-target.ts";

export interface SessionFilter {
  readonly containerId?: ContainerId | undefined;
  readonly sessionId?: SessionId | undefined;
  /** Ended sessions too. */
  readonly all: boolean;
}

export interface SessionsParts extends SessionTargetSources {
  readonly clock: Clock;
  readonly store: SessionTargetSources["store"] & Pick<StateStore, "get">;
  readonly execs: SessionTargetSources["execs"] & Pick<ExecStore, "get">;
  readonly paths: SessionTargetSources["paths"] & Pick<EnginePaths, "bundles" | "execBundles">;
  readonly sessions: SessionStore;
  /** The cgroup that outlives the agent. */
  readonly monitorCgroup: ForwarderCgroup;
  /** Begins an operation of the engine's own. */
  readonly performLater: (action: Action) => void;
  readonly onFailure: (error: unknown) => void;
  readonly onLoopFailure: (failure: LoopFailure) => void;
}

/** Opens, lists and ends the sessions of a host; see model/session. No method takes a container's lock. */
export class Sessions {
  readonly #parts: SessionsParts;
  readonly #attachments = new Map<SessionId, Attachment>();
  readonly #inputs: SessionInputs;
  readonly #keeper: SessionKeeper;

  constructor(parts: SessionsParts) {
    this.#parts = parts;
    for (const { session } of parts.sessions.list()) {
      if (session.connected) parts.sessions.note(session.id, { changes: this.#disconnected() });
    }
    parts.sessions.commitNoted();
    this.#inputs = new SessionInputs({ ...parts, onRoom: (key) => this.#changed(key) });
    this.#keeper = new SessionKeeper({
      parts,
      end: (session, how) => void this.#end(session, how),
      onFailure: parts.onLoopFailure,
    });
  }

  /**
   * Makes a session, or resumes the one of that id, whose present attachment then ends with SESSION_IN_USE.
   * @throws PodfleetError CONTAINER_NOT_FOUND, EXEC_NOT_FOUND; STATE_INVALID when the container has no such run; SESSION_IN_USE when
   * another session has the input to itself; UNAVAILABLE when the host has too many sessions; SESSION_NOT_FOUND, SESSION_ENDED;
   * FORBIDDEN for a session of another caller; INVALID_INPUT for an offset that is no record boundary
   */
  async open(opening: SessionOpening, holder: Holder): Promise<Attachment> {
    const attributes = {
      "podfleet.session.id": opening.sessionId,
      "podfleet.container.id": opening.containerId,
    };
    return await traced("session.open", attributes, async () => this.#open(opening, holder));
  }

  get loop(): Loop {
    return this.#keeper.loop;
  }

  /** Lists sessions, oldest first. */
  list({ containerId, sessionId, all }: SessionFilter): (Session & { exit?: CommandExit })[] {
    return this.#parts.sessions
      .list()
      .filter(({ session }) => (containerId ?? session.containerId) === session.containerId)
      .filter(({ session }) => (sessionId ?? session.id) === session.id)
      .filter(({ session }) => all || session.end === undefined)
      .map(({ session, commandEnd }) => ({
        ...session,
        ...(commandEnd ? { exit: commandEnd.exit } : {}),
      }));
  }

  /** Ends the session, unless it has ended; the command runs on. @throws PodfleetError SESSION_NOT_FOUND */
  end(id: SessionId): Session {
    const { session } = this.#parts.sessions.get(id);
    return session.end === undefined ? this.#end(session, "closed") : session;
  }

  /** Ends the attachments; the sessions and the forwarders of input outlive the engine. */
  async close(): Promise<void> {
    await this.#keeper.close();
    for (const attachment of this.#attachments.values()) attachment.lose();
    await this.#inputs.close();
  }

  #open(opening: SessionOpening, holder: Holder): Attachment {
    const { sessions } = this.#parts;
    const known = opening.resume
      ? sessions.get(opening.sessionId).session
      : sessions.find(opening.sessionId)?.session;
    if (known) assertResumable(known, opening);
    const session = known ?? this.#newSession(opening);
    const target = targetOf(this.#parts, session);
    const offset = opening.offset ?? session.acknowledged;
    if (!known || existsSync(target.journal)) assertBoundary(target, offset);
    this.#attachments.get(session.id)?.end(takenOver(session.id));
    const isNew = known === undefined;
    if (isNew) sessions.add(session);
    const changes = { connected: true, detached: false, disconnectedAt: undefined };
    const attachment = new Attachment({
      ...{ target, holder, offset, commandEnd: sessions.get(session.id).commandEnd },
      session: isNew ? session : sessions.update(session.id, changes),
      input: this.#inputOf(session, target),
      owner: this.#ownerOf(session, target),
    });
    this.#attachments.set(session.id, attachment);
    if (isNew && session.spec.terminalSize) {
      attachment.resize(session.spec.terminalSize).catch(this.#parts.onFailure);
    }
    return attachment;
  }

  #newSession({ sessionId, containerId, caller, spec }: SessionOpening): Session {
    const run = this.#chooseRun(containerId, spec);
    const target = targetOf(this.#parts, { containerId, run, spec });
    assertRoom(this.list({ all: false }));
    assertInputFree({ spec }, this.#inputs.writers(target));
    return {
      ...{ id: sessionId, containerId, run, spec, caller, tty: target.tty },
      openedAt: this.#now(),
      ...{ connected: true, detached: false },
      acknowledged: firstOffset(target, spec.from),
    };
  }

  #chooseRun(containerId: ContainerId, { execId, run }: SessionSpec): number {
    const { execs, store } = this.#parts;
    if (execId !== undefined) return execs.get(containerId, execId).session.run;
    const { snapshot } = store.get(containerId);
    assertAllowed(run === "next" ? "attachNext" : "attach", snapshot);
    return snapshot.state === "running" ? snapshot.run : snapshot.run + 1;
  }

  #inputOf(session: Session, target: SessionTarget): SessionInput | undefined {
    if (session.spec.input === "none" || !target.stdin) return undefined;
    return new SessionInput(session, target, this.#inputs);
  }

  #ownerOf(session: Session, target: SessionTarget): AttachmentOwner {
    const { sessions } = this.#parts;
    const { id, spec } = session;
    return {
      acknowledged: (acknowledged) => sessions.note(id, { changes: { acknowledged } }),
      gone: () => void this.#end(session, "gone"),
      resized: (terminalSize) => {
        // Without a terminal yet, the next run is created with the size.
        if (target.state().is !== "waiting") return;
        sessions.note(id, { changes: { spec: { ...spec, terminalSize } } });
      },
      left: (how) => {
        this.#attachments.delete(id);
        if (how === "exited") return void this.#end(session, "exited");
        const note = how === "detached" ? { event: "container.detach" as const } : undefined;
        sessions.update(id, this.#disconnected(how === "detached"), note);
        this.#keeper.keep(id);
      },
    };
  }

  #end(session: Session, end: NonNullable<Session["end"]>): Session {
    const { id } = session;
    const target = targetOf(this.#parts, session);
    const state = target.state();
    if (state.is === "ended") this.#parts.sessions.note(id, { commandEnd: state.end });
    if (end === "expired") {
      const { performLater } = this.#parts;
      endUnattended(session, { target, inputs: this.#inputs, performLater });
    }
    const left = session.connected ? this.#disconnected() : {};
    const ended = this.#parts.sessions.update(id, { ...left, end, endedAt: this.#now() });
    this.#attachments.get(id)?.end(sessionEnded(ended));
    this.#attachments.delete(id);
    if (session.spec.input !== "none") this.#inputs.endIfDone(target);
    return ended;
  }

  #changed(key: string): void {
    for (const attachment of this.#attachments.values()) {
      if (attachment.target.key === key) attachment.changed();
    }
  }

  #disconnected(detached = false) {
    return { connected: false, disconnectedAt: this.#now(), detached };
  }

  #now(): string {
    return new Date(this.#parts.clock.nowMs()).toISOString();
  }
}

function firstOffset({ journal }: SessionTarget, from: SessionSpec["from"]): number {
  if (from === "start") return 0;
  return from === "now" ? wholeJournalLength(journal) : from;
}
