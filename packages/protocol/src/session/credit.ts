import { creditIntervalMs } from "../stream/frame.ts";

/** The least time between two acknowledgements. */
const acknowledgeMs = 10;

/** Decides when to send credit: rarely while output flows, and soon when the reader has taken all of it. */
export class Credit {
  readonly #windowBytes: number;
  readonly #send: () => void;
  #given = 0;
  #givenMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param send called when credit is due */
  constructor(windowBytes: number, send: () => void) {
    this.#windowBytes = windowBytes;
    this.#send = send;
  }

  /** Records that credit up to a window after `offset` was sent. */
  gave(offset: number): void {
    this.stop();
    this.#given = offset;
    this.#givenMs = performance.now();
  }

  /** Records that the reader has taken the output up to `offset`; `isAll`: everything that has arrived. */
  taken(offset: number, isAll: boolean): void {
    if (offset - this.#given >= this.#windowBytes / 4) return this.#send();
    if (!isAll || this.#timer !== undefined) return;
    const waitMs = this.#givenMs + acknowledgeMs - performance.now();
    if (waitMs <= 0) this.#send();
    else this.#timer = setTimeout(this.#send, waitMs);
  }

  /** Answers a beat of the agent with credit when none was sent for a while. */
  beat(): void {
    if (performance.now() - this.#givenMs > creditIntervalMs / 2) this.#send();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
