import type { InputPosition } from "@podfleet/journal/input/command-input";
import type { Session } from "@podfleet/model/session";

import type { SessionInputs } from "./session-inputs.ts";
import type { SessionTarget } from "./session-target.ts";

/** Before the command runs there is nothing to write to, and nothing is taken. */
const waiting: InputPosition = { seq: 0, limit: 0, ended: false };

/** What one session writes to its command. */
export class SessionInput {
  readonly #session: Session;
  readonly #target: SessionTarget;
  readonly #inputs: SessionInputs;
  /** The end of input came before the command runs. */
  #endsAtOnce = false;

  constructor(parts: { session: Session; target: SessionTarget; inputs: SessionInputs }) {
    this.#session = parts.session;
    this.#target = parts.target;
    this.#inputs = parts.inputs;
  }

  /** Undefined when the command takes no input, or none any more. */
  position(): InputPosition | undefined {
    const input = this.#inputs.find(this.#target);
    if (!input) return this.#target.state().is === "waiting" ? waiting : undefined;
    if (this.#endsAtOnce) this.end(0);
    return input.position(this.#session.id);
  }

  /** See `CommandInput.write`; dropped when the command has ended. */
  write(seq: number, bytes: Uint8Array): void {
    const input = this.#inputs.find(this.#target);
    input?.write(this.#session.id, seq, bytes);
  }

  /** The session writes no more. */
  end(seq: number): void {
    const input = this.#inputs.find(this.#target);
    this.#endsAtOnce = !input && seq === 0;
    if (!input) return;
    input.end(this.#session.id, seq);
    this.#inputs.conclude(this.#target);
  }

  /** Resolves when what was written has been passed on, or after `timeoutMs`. */
  async passed(timeoutMs: number): Promise<void> {
    await this.#inputs.find(this.#target)?.passed(timeoutMs);
  }
}
