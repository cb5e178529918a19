/** The input of a session: kept until the agent has acknowledged it, and sent again after an outage. */
import { PodfleetError } from "@podfleet/model/errors";

import { type Frame, inputBytesMax } from "../stream/frame.ts";
import type { Opened } from "../stream/open.ts";

type Send = (frame: Frame) => void;

interface Piece {
  /** The number of bytes of input before this piece. */
  readonly seq: number;
  readonly bytes: Uint8Array;
}

const nothing = new Uint8Array(0);
const beatsMissedMax = 2;

export class InputQueue {
  readonly stream: WritableStream<Uint8Array>;
  #controller: WritableStreamDefaultController | undefined;
  /** Undefined while there is no connection. */
  #send: Send | undefined;
  /** Pieces that were sent and are not acknowledged, without a hole from `#acknowledged` to `#end`. */
  #pieces: Piece[] = [];
  #acknowledged = 0;
  #end = 0;
  /** How far the input was sent on this connection, in bytes and in pieces. */
  #sent = 0;
  #piecesSent = 0;
  #limit = 0;
  /** The part of the current write that was not sent yet. */
  #rest: Uint8Array = nothing;
  #onWritten: (() => void) | undefined;
  #onClosed: (() => void) | undefined;
  #isEndSent = false;
  #isBegun = false;
  #isOver = false;
  #sentAtBeat = 0;
  #beatsMissed = 0;

  constructor() {
    this.stream = new WritableStream({
      start: (controller) => {
        this.#controller = controller;
        // Node's types leave `signal` out.
        const { signal } = controller as unknown as { readonly signal: AbortSignal };
        signal.addEventListener("abort", () => this.#giveUp());
      },
      write: async (bytes) => await this.#write(bytes),
      close: async () => await this.#close(),
    });
  }

  /** Called when the session is connected, for the first time or again; `state` is absent when it takes no input. */
  connect(state: Opened["input"], send: Send): void {
    if (!state) return this.end(takesNone());
    if (!this.#isBegun) this.#acknowledged = this.#end = this.#sent = state.seq;
    this.#isBegun = true;
    this.#send = send;
    this.#isEndSent = state.ended;
    this.#sent = this.#sentAtBeat = Math.max(state.seq, this.#acknowledged);
    this.#piecesSent = this.#beatsMissed = 0;
    this.acknowledge(state.seq, state.limit);
    if (state.ended && !this.#onClosed) this.end(hasEnded());
  }

  disconnect(): void {
    this.#send = undefined;
  }

  /** @throws PodfleetError INTERNAL when the agent acknowledges bytes that were not sent */
  acknowledge(seq: number, limit: number): void {
    if (seq > this.#end) throw neverSent(seq, this.#end);
    this.#limit = limit;
    this.#forget(seq);
    this.#pump();
  }

  /** Whether input got lost: two beats in a row have not acknowledged it. */
  isMissedAt(beatSeq: number): boolean {
    this.#beatsMissed = beatSeq < this.#sentAtBeat ? this.#beatsMissed + 1 : 0;
    this.#sentAtBeat = this.#sent;
    return this.#beatsMissed >= beatsMissedMax;
  }

  /** Ends the queue: further writes fail. The current write counts as written, since nobody will read it. */
  end(error: PodfleetError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#controller?.error(error);
    this.#giveUp();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#rest = bytes;
    this.#onWritten = resolve;
    this.#pump();
    await promise;
  }

  /** Resolves when the agent has acknowledged everything that was written. */
  async #close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onClosed = resolve;
    this.#pump();
    await promise;
  }

  #giveUp(): void {
    this.#send = undefined;
    this.#pieces = [];
    this.#rest = nothing;
    this.#onWritten?.();
    this.#onClosed?.();
  }

  #forget(seq: number): void {
    const count = this.#pieces.findIndex((piece) => piece.seq + piece.bytes.length > seq);
    const forgotten = this.#pieces.splice(0, count < 0 ? this.#pieces.length : count);
    this.#piecesSent = Math.max(0, this.#piecesSent - forgotten.length);
    this.#acknowledged = Math.max(this.#acknowledged, seq);
    this.#sent = Math.max(this.#sent, seq);
  }

  #pump(): void {
    if (!this.#send) return;
    this.#sendAgain(this.#send);
    if (this.#sent < this.#end) return;
    this.#sendRest(this.#send);
    if (this.#rest.length > 0) return;
    this.#onWritten?.();
    if (!this.#onClosed) return;
    if (!this.#isEndSent) this.#send({ type: "inputEnd", seq: this.#end });
    this.#isEndSent = true;
    if (this.#acknowledged === this.#end) this.#onClosed();
  }

  /** Sends again what was sent on an earlier connection and is not acknowledged. */
  #sendAgain(send: Send): void {
    for (;;) {
      const piece = this.#pieces[this.#piecesSent];
      if (!piece || this.#sent >= this.#limit) return;
      const from = this.#sent - piece.seq;
      const bytes = piece.bytes.subarray(from, from + this.#limit - this.#sent);
      send({ type: "input", seq: this.#sent, bytes });
      this.#sent += bytes.length;
      if (this.#sent === piece.seq + piece.bytes.length) this.#piecesSent += 1;
    }
  }

  #sendRest(send: Send): void {
    while (this.#rest.length > 0 && this.#sent < this.#limit) {
      const length = Math.min(this.#rest.length, inputBytesMax, this.#limit - this.#sent);
      const piece = { seq: this.#sent, bytes: this.#rest.slice(0, length) };
      this.#rest = this.#rest.subarray(length);
      this.#pieces.push(piece);
      this.#piecesSent += 1;
      this.#end = this.#sent += length;
      send({ type: "input", ...piece });
    }
  }
}

function takesNone(): PodfleetError {
  return new PodfleetError("INVALID_INPUT", "Cannot write: the session takes no input");
}

function hasEnded(): PodfleetError {
  return new PodfleetError("STATE_INVALID", "Cannot write: the session's input has ended");
}

function neverSent(seq: number, end: number): PodfleetError {
  return new PodfleetError(
    "INTERNAL",
    `The agent acknowledged ${seq} bytes of input, of which ${end} were sent`,
  );
}
