/** Output that has arrived and waits for its reader. */
import { hasCode, type PodfleetError } from "@podfleet/model/errors";

import type { SessionOutput } from "./session-stream.ts";

export class OutputQueue {
  readonly stream: ReadableStream<SessionOutput>;
  /** Resolves when the output has ended without an error and the reader has taken all of it. */
  readonly drained: Promise<void>;
  readonly #onTaken: () => void;
  #controller: ReadableStreamDefaultController<SessionOutput> | undefined;
  #pieces: SessionOutput[] = [];
  /** The reader's pending request for the next piece. */
  #isAwaited = false;
  #isCancelled = false;
  #end: { readonly error?: PodfleetError } | undefined;
  readonly #drained = Promise.withResolvers<void>();
  #received = 0;
  #taken = 0;

  /** @param onTaken called when `taken` has advanced */
  constructor(onTaken: () => void) {
    this.#onTaken = onTaken;
    this.drained = this.#drained.promise;
    this.stream = new ReadableStream(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => this.#cancel(),
      },
      { highWaterMark: 0 },
    );
  }

  /** The journal's offset after the output that has arrived. */
  get received(): number {
    return this.#received;
  }

  /** The journal's offset after the output that the reader has taken. */
  get taken(): number {
    return this.#taken;
  }

  /** The offset at which the first piece begins. */
  begin(offset: number): void {
    this.#received = offset;
    this.#taken = offset;
  }

  push(piece: SessionOutput): void {
    this.#received = endOf(piece);
    this.#pieces.push(piece);
    if (this.#isCancelled) this.#cancel();
    else if (this.#isAwaited) this.#pull();
  }

  /** Ends the queue. The reader gets what has arrived, unless the caller gave up, and then the end or the error. */
  end(error?: PodfleetError): void {
    if (this.#end) return;
    this.#end = error ? { error } : {};
    if (hasCode(error, "CANCELLED")) this.#pieces = [];
    this.#finish();
  }

  #pull(): void {
    const piece = this.#pieces.shift();
    this.#isAwaited = piece === undefined;
    if (!piece) return;
    this.#taken = endOf(piece);
    this.#controller?.enqueue(piece);
    this.#onTaken();
    this.#finish();
  }

  #cancel(): void {
    this.#isCancelled = true;
    this.#pieces = [];
    this.#taken = this.#received;
    this.#onTaken();
    this.#finish();
  }

  #finish(): void {
    if (!this.#end || this.#pieces.length > 0) return;
    if (!this.#end.error) this.#drained.resolve();
    if (this.#isCancelled) return;
    if (this.#end.error) this.#controller?.error(this.#end.error);
    else this.#controller?.close();
  }
}

function endOf(piece: SessionOutput): number {
  return piece.type === "gap" ? piece.to : piece.next;
}
