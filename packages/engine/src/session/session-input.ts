import type { InputPosition } from "@podfleet/journal/input/command-input";
import type { Session } from "@podfleet/model/session";

import type { SessionInputs } from "./session-inputs.ts";
import type { SessionTarget } from "./session-target.ts";

/** The position before the command runs, when no input is taken. */
const waiting: InputPosition = { seq: 0, limit: 0, ended: false };

/** The input of one session to its command. */
export class SessionInput {
  readonly #session: Session;
  readonly #target: SessionTarget;
  readonly #inputs: SessionInputs;
  /** The session has ended its input before the command runs. */
  #endsAtOnce = false;

  constructor(session: Session, target: SessionTarget, inputs: SessionInputs) {
    this.#session = session;
    this.#target = target;
    this.#inputs = inputs;
  }

  /** Returns how much was taken and may be written; undefined when the command takes no input, or has ended. */
  position(): InputPosition | undefined {
    const input = this.#inputs.find(this.#target);
    if (!input) return this.#target.state().is === "waiting" ? waiting : undefined;
    if (this.#endsAtOnce) this.end(0);
    return input.position(this.#session.id);
  }

  /** See `CommandInput.write`. Does nothing when the command has ended. */
  write(seq: number, bytes: Uint8Array): void {
    const input = this.#inputs.find(this.#target);
    input?.write(this.#session.id, seq, bytes);
  }

  /** Ends the session's input. */
  end(seq: number): void {
    const input = this.#inputs.find(this.#target);
    this.#endsAtOnce = !input && seq === 0;
    if (!input) return;
    input.end(this.#session.id, seq);
    this.#inputs.endIfDone(this.#target);
  }

  /** See `CommandInput.flushed`. */
  async flushed(timeoutMs: number): Promise<void> {
    await this.#inputs.find(this.#target)?.flushed(timeoutMs);
  }
}
