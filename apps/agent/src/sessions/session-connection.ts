/**
 * One client's connection to a session: output goes out as far as the client has given credit, and what the client sends is done in
 * order. See protocol/stream/frame for what each side owes the other.
 */
import type { Clock } from "@podfleet/base/clock";
import type { Attachment } from "@podfleet/engine/session/attachment";
import type { OutputPiece } from "@podfleet/journal/record/compact";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { SessionOpenReply } from "@podfleet/protocol/host/session";
import {
  clientSilenceMaxMs,
  decodeFrame,
  encodeFrame,
  type Frame,
  windowMax,
  windowMin,
  writeOutputHeader,
} from "@podfleet/protocol/stream/frame";

export interface SessionConnectionOptions {
  /** Credit for the beginning. */
  readonly window: number;
  readonly clock: Clock;
  /** @throws PodfleetError UNAVAILABLE when it cannot be sent */
  readonly send: (frame: Uint8Array) => void;
  /** The connection is over; unless `isTold`, its client has yet to be told. */
  readonly onClose: (how: { readonly isTold: boolean }) => void;
  /** Told of defects. */
  readonly onFailure: (error: unknown) => void;
}

/** Frames that wait for one before them: changes of the terminal's size, and what was typed between them. */
const waitingMax = 1_024;

export class SessionConnection {
  readonly #attachment: Attachment;
  readonly #options: SessionConnectionOptions;
  /** Up to where output may be sent. */
  #limit: number;
  /** Up to where the client has acknowledged output. */
  #acknowledged: number;
  /** Up to where output was sent. */
  #sent: number;
  /** What the client was last told of its input. */
  #told = { seq: 0, limit: 0 };
  #exitSent = false;
  #isClosed = false;
  #isPumping = false;
  #isAckDue = false;
  #heardAtMs: number;
  /** What has come and is not done yet, when something takes its time. */
  #waiting: Frame[] | undefined;

  constructor(attachment: Attachment, options: SessionConnectionOptions) {
    this.#attachment = attachment;
    this.#options = options;
    this.#heardAtMs = options.clock.nowMs();
    this.#sent = attachment.offset;
    this.#acknowledged = attachment.offset;
    this.#limit = attachment.offset + effectiveWindow(options.window);
  }

  opened(): SessionOpenReply {
    const { session, offset, input } = this.#attachment;
    const position = input?.position();
    if (position) this.#told = position;
    return { session, offset, ...(position ? { input: position } : {}) };
  }

  /** Sends what there is to send. */
  pump(): void {
    if (this.#isPumping || this.#isClosed) return;
    this.#attempt(() => {
      this.#sendAck();
      this.#sendGap();
      this.#sendOutput(this.#attachment.readSoon(this.#limit));
      if (this.#isBehind) this.#catchUp();
      else this.#sendExit();
    });
  }

  receive(bytes: Uint8Array): void {
    this.#heardAtMs = this.#options.clock.nowMs();
    this.#attempt(() => {
      const frame = decodeFrame(bytes);
      if (this.#waiting && this.#waiting.length >= waitingMax) throw tooMany();
      if (this.#waiting) this.#waiting.push(frame);
      else this.#handle(frame);
    });
  }

  /** Tells the client how far things are; a client that has been silent for too long counts as lost. */
  beat(): void {
    const silentMs = this.#options.clock.nowMs() - this.#heardAtMs;
    if (silentMs > clientSilenceMaxMs) return this.#close({ isTold: true });
    const { seq } = this.#told;
    this.#attempt(() => this.#send({ type: "beat", offset: this.#sent, seq }));
  }

  /** Tells the client that the connection is over, and lets go of the session. */
  fail(error: PodfleetError): void {
    if (this.#isClosed) return;
    try {
      this.#send({ type: "error", error: error.toWire() });
      this.#close({ isTold: true });
    } catch (reason) {
      if (!hasCode(reason, "UNAVAILABLE")) throw reason;
      this.#close({ isTold: false });
    }
  }

  #sendOutput(pieces: readonly OutputPiece[]): void {
    for (const { bytes, ...piece } of pieces) {
      writeOutputHeader(bytes, piece);
      this.#options.send(bytes);
      this.#sent = piece.next;
    }
  }

  /** There is more, and the client has room for it. */
  get #isBehind(): boolean {
    return this.#attachment.isBehind && this.#limit > this.#sent;
  }

  #sendGap(): void {
    const gap = this.#attachment.takeGap();
    if (!gap) return;
    this.#send({ type: "gap", ...gap });
    this.#sent = gap.to;
  }

  /** Sends larger parts until the client has what there is, or has no room. */
  #catchUp(): void {
    this.#isPumping = true;
    this.#attachment
      .readBehind(() => this.#limit)
      .then(
        (pieces) => {
          this.#isPumping = false;
          this.#attempt(() => this.#sendOutput(pieces));
          if (pieces.length > 0 && this.#isBehind) this.#catchUp();
          else this.pump();
        },
        (reason: unknown) => this.#failFor(reason),
      );
  }

  #sendExit(): void {
    const end = this.#exitSent ? undefined : this.#attachment.findEnd();
    if (!end || this.#acknowledged < end.offset) return;
    this.#send({ type: "exit", ...end });
    this.#exitSent = true;
  }

  #sendAck(): void {
    const position = this.#attachment.input?.position();
    if (!position) return;
    const { seq, limit } = position;
    if (seq === this.#told.seq && limit === this.#told.limit) return;
    this.#told = { seq, limit };
    this.#send({ type: "ack", seq, limit });
  }

  #handle(frame: Frame): void {
    switch (frame.type) {
      case "credit":
        return this.#credit(frame.offset, frame.window);
      case "input":
        this.#attachment.input?.write(frame.seq, frame.bytes);
        return this.#ackSoon();
      case "inputEnd":
        return this.#attachment.input?.end(frame.seq);
      case "resize":
        return this.#handleLater(this.#attachment.resize(frame.size));
      case "detach":
        return this.#close({ isTold: true, leave: this.#exitSent ? "finish" : "detach" });
      case "lost":
        return this.#close({ isTold: true });
      default:
        throw new PodfleetError("INVALID_INPUT", `A client may not send "${frame.type}" here`);
    }
  }

  #credit(offset: number, window: number): void {
    if (offset > this.#sent) throw beyond(offset, this.#sent);
    this.#acknowledged = Math.max(this.#acknowledged, offset);
    this.#limit = offset + effectiveWindow(window);
    this.#attachment.acknowledge(this.#acknowledged);
    this.pump();
  }

  /** Once for all frames that the link has brought at once. */
  #ackSoon(): void {
    if (this.#isAckDue) return;
    this.#isAckDue = true;
    queueMicrotask(() => {
      this.#isAckDue = false;
      this.#attempt(() => this.#sendAck());
    });
  }

  /** Has the frames that come meanwhile wait for the end of `work`. */
  #handleLater(work: Promise<void>): void {
    const waiting: Frame[] = (this.#waiting ??= []);
    work.then(
      () => {
        this.#waiting = undefined;
        this.#attempt(() => {
          // One that takes its time has the rest wait again.
          for (const frame of waiting) {
            if (this.#waiting) (this.#waiting as Frame[]).push(frame);
            else this.#handle(frame);
          }
        });
      },
      (reason: unknown) => this.#failFor(reason),
    );
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
      this.#failFor(reason);
    }
  }

  #failFor(reason: unknown): void {
    const error = PodfleetError.from(reason);
    if (error.code === "INTERNAL") this.#options.onFailure(reason);
    this.fail(error);
  }

  #close({ isTold, leave = "lose" }: { isTold: boolean; leave?: "finish" | "detach" | "lose" }) {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#attachment[leave]();
    this.#options.onClose({ isTold });
  }
}

function effectiveWindow(window: number): number {
  return window === 0 ? 0 : Math.min(windowMax, Math.max(windowMin, window));
}

function beyond(offset: number, sent: number): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot take credit from offset ${offset}: output was sent up to ${sent}`,
  );
}

function tooMany(): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot take a frame: ${waitingMax} of them wait for a change of the terminal's size`,
  );
}
