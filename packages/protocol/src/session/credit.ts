import { creditIntervalMs } from "../stream/frame.ts";

/** An acknowledgement of the last output goes out at once when the one before is as old as this, and is due after it otherwise. */
const acknowledgeMs = 10;

/** When to tell the agent how much the reader has taken: seldom while output flows, and soon when all of it was read. */
export class Credit {
  readonly #windowBytes: number;
  readonly #send: () => void;
  #given = 0;
  #givenMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `send` is called when credit is due. */
  constructor(windowBytes: number, send: () => void) {
    this.#windowBytes = windowBytes;
    this.#send = send;
  }

  /** Credit up to a window after `offset` is on its way. */
  gave(offset: number): void {
    this.stop();
    this.#given = offset;
    this.#givenMs = performance.now();
  }

  /** The reader has taken the output up to here; `isAll` of what has arrived. */
  taken(offset: number, isAll: boolean): void {
    if (offset - this.#given >= this.#windowBytes / 4) return this.#send();
    if (!isAll || this.#timer !== undefined) return;
    const waitMs = this.#givenMs + acknowledgeMs - performance.now();
    if (waitMs <= 0) this.#send();
    else this.#timer = setTimeout(this.#send, waitMs);
  }

  /** The agent gave a sign of life and is owed one. */
  beat(): void {
    if (performance.now() - this.#givenMs > creditIntervalMs / 2) this.#send();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
