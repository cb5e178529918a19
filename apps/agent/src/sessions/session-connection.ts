/**
 * One client's connection to a session: output is sent as far as the client has given credit, and the client's frames are handled in
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
  /** The initial credit. */
  readonly window: number;
  readonly clock: Clock;
  /** @throws PodfleetError UNAVAILABLE when it cannot be sent */
  readonly send: (frame: Uint8Array) => void;
  /** Called when the connection has ended. `isTold`: the client was told. */
  readonly onClose: (how: { readonly isTold: boolean }) => void;
  /** Called with defects. */
  readonly onFailure: (error: unknown) => void;
}

/** The most frames that may wait for one before them, such as a resize. */
const waitingMax = 1_024;

export class SessionConnection {
  readonly #attachment: Attachment;
  readonly #options: SessionConnectionOptions;
  /** The offset up to which output may be sent. */
  #limit: number;
  /** The offset up to which the client has acknowledged output. */
  #acknowledged: number;
  /** The offset up to which output was sent. */
  #sent: number;
  /** The last acknowledgement of input that was sent. */
  #told = { seq: 0, limit: 0 };
  #exitSent = false;
  #isClosed = false;
  #isPumping = false;
  #isAckDue = false;
  #heardAtMs: number;
  /** Frames that wait for one that is still being handled. */
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

  /** Sends output as far as credit allows. */
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

  /** Sends a beat with the offsets of output and input. A client that has been silent for too long counts as lost. */
  beat(): void {
    const silentMs = this.#options.clock.nowMs() - this.#heardAtMs;
    if (silentMs > clientSilenceMaxMs) return this.#close({ isTold: true });
    const { seq } = this.#told;
    this.#attempt(() => this.#send({ type: "beat", offset: this.#sent, seq }));
  }

  /** Tells the client that the connection has ended, and releases the session. */
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

  /** Whether there is more output that the client has given credit for. */
  get #isBehind(): boolean {
    return this.#attachment.isBehind && this.#limit > this.#sent;
  }

  #sendGap(): void {
    const gap = this.#attachment.takeGap();
    if (!gap) return;
    this.#send({ type: "gap", ...gap });
    this.#sent = gap.to;
  }

  /** Sends larger parts until there is no more output or no more credit. */
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
        throw new PodfleetError(
          "INVALID_INPUT",
          `Cannot take a frame "${frame.type}": clients do not send it`,
        );
    }
  }

  #credit(offset: number, window: number): void {
    if (offset > this.#sent) throw beyond(offset, this.#sent);
    this.#acknowledged = Math.max(this.#acknowledged, offset);
    this.#limit = offset + effectiveWindow(window);
    this.#attachment.acknowledge(this.#acknowledged);
    this.pump();
  }

  /** Acknowledges input once for all frames that arrived together. */
  #ackSoon(): void {
    if (this.#isAckDue) return;
    this.#isAckDue = true;
    queueMicrotask(() => {
      this.#isAckDue = false;
      this.#attempt(() => this.#sendAck());
    });
  }

  /** Queues the frames that arrive until `work` has ended. */
  #handleLater(work: Promise<void>): void {
    const waiting: Frame[] = (this.#waiting ??= []);
    work.then(
      () => {
        this.#waiting = undefined;
        this.#attempt(() => {
          // A frame whose handling takes time makes the rest wait again.
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

  /** Ends the connection with the error of a client or a link; a defect is also reported. */
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
    try {
      this.#attachment[leave]();
    } finally {
      this.#options.onClose({ isTold });
    }
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
