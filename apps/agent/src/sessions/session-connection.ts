/**
 * One client's connection to a session: output goes out as far as the client has given credit, and what the client sends is done in
 * order. See protocol/stream/frame for what each side owes the other.
 */
import type { Attachment } from "@podfleet/engine/session/attachment";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import {
  clientSilenceMaxMs,
  decodeFrame,
  encodeFrame,
  type Frame,
  outputHeaderBytes,
  windowMax,
  windowMin,
  writeOutputHeader,
} from "@podfleet/protocol/stream/frame";

export interface SessionConnectionOptions {
  readonly window: number;
  /** @throws PodfleetError UNAVAILABLE when it cannot be sent */
  readonly send: (frame: Uint8Array) => void;
  /** The connection is over. */
  readonly onClose: () => void;
  /** Told of defects. */
  readonly onFailure: (error: unknown) => void;
}

export class SessionConnection {
  readonly #attachment: Attachment;
  readonly #options: SessionConnectionOptions;
  /** Up to where output may be sent. */
  #limit: number;
  /** Up to where the client has acknowledged output. */
  #acknowledged: number;
  /** Up to where output was sent. */
  #sent: number;
  #exitSent = false;
  #isClosed = false;
  #heardAtMs = performance.now();
  #isPumping = false;

  constructor(attachment: Attachment, options: SessionConnectionOptions) {
    this.#attachment = attachment;
    this.#options = options;
    this.#sent = attachment.offset;
    this.#acknowledged = attachment.offset;
    this.#limit = attachment.offset + effectiveWindow(options.window);
  }

  /** Sends what there is to send. */
  pump(): void {
    if (this.#isPumping || this.#isClosed) return;
    this.#isPumping = true;
    this.#attempt(() => this.#sendOutput());
    this.#isPumping = false;
  }

  receive(bytes: Uint8Array): void {
    this.#heardAtMs = performance.now();
    this.#attempt(() => this.#handle(decodeFrame(bytes)));
  }

  /** Tells the client how far things are; a client that has been silent for too long counts as lost. */
  beat(): void {
    if (performance.now() - this.#heardAtMs > clientSilenceMaxMs) return this.lose();
    this.#attempt(() => this.#send({ type: "beat", offset: this.#sent, seq: 0 }));
  }

  /** Tells the client that the connection is over, and lets go of the session. */
  fail(error: PodfleetError): void {
    if (this.#isClosed) return;
    try {
      this.#send({ type: "error", error: error.toWire() });
    } catch (reason) {
      // The link is down: the client learns it by the silence.
      if (!hasCode(reason, "UNAVAILABLE")) throw reason;
    }
    this.lose();
  }

  /** The client cannot be reached. */
  lose(): void {
    this.#close(() => this.#attachment.lose());
  }

  #sendOutput(): void {
    const pieces = this.#attachment.read(this.#limit);
    for (const { bytes, ...piece } of pieces) {
      writeOutputHeader(bytes, piece);
      this.#options.send(bytes);
      this.#sent = piece.next;
    }
    // One piece a turn of the event loop, so that others have theirs.
    if (pieces.length > 0) setImmediate(() => this.pump());
    else this.#sendExit();
  }

  #sendExit(): void {
    const end = this.#exitSent ? undefined : this.#attachment.findEnd();
    if (!end || this.#acknowledged < end.offset) return;
    this.#send({ type: "exit", ...end });
    this.#exitSent = true;
  }

  #handle(frame: Frame): void {
    switch (frame.type) {
      case "credit":
        if (frame.offset > this.#sent) throw beyond(frame.offset, this.#sent);
        this.#acknowledged = Math.max(this.#acknowledged, frame.offset);
        this.#limit = frame.offset + effectiveWindow(frame.window);
        this.#attachment.acknowledge(this.#acknowledged);
        return this.pump();
      case "detach":
        return this.#close(() =>
          this.#exitSent ? this.#attachment.finish() : this.#attachment.detach(),
        );
      case "lost":
        return this.lose();
      case "input":
      case "inputEnd":
      case "resize":
        return;
      default:
        throw new PodfleetError("INVALID_INPUT", `A client may not send "${frame.type}" here`);
    }
  }

  #send(frame: Frame): void {
    this.#options.send(encodeFrame(frame));
  }

  /** What a client has wrong, or the link, ends the connection; a defect is reported too. */
  #attempt(body: () => void): void {
    if (this.#isClosed) return;
    try {
      body();
    } catch (reason) {
      const error = PodfleetError.from(reason);
      if (error.code === "INTERNAL") this.#options.onFailure(reason);
      this.fail(error);
    }
  }

  #close(leave: () => void): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    leave();
    this.#options.onClose();
  }
}

/** What has to be left free before output. */
export const headroom = outputHeaderBytes;

function effectiveWindow(window: number): number {
  return window === 0 ? 0 : Math.min(windowMax, Math.max(windowMin, window));
}

function beyond(offset: number, sent: number): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot take credit from offset ${offset}: output was sent up to ${sent}`,
  );
}
