/**
 * A connection that has left HTTP and carries bytes both ways (Docker calls it hijacked). A client says by a half-close that it sends no
 * more, and one that vanishes looks the same at first: its kernel closes both halves, and tells of the other half only when it is
 * sent something. So a client that has gone quiet is probed: by a write of nothing, which fails when the kernel here knows; by an empty
 * frame, which a kernel whose process is gone answers with a reset; and where there are no frames, by a look at the kernel's list of
 * connections, which has both ends of those within this machine. From elsewhere a raw stream's client is missed when there is output.
 */
import { Socket } from "node:net";
import type { Duplex } from "node:stream";

import { withDeadline } from "@podfleet/base/deadline";
import { pause } from "@podfleet/base/pause";
import { PodfleetError } from "@podfleet/model/errors";

import { dockerFailure } from "../http/docker-failure.ts";
import type { ClientConnection } from "./client-connection.ts";
import { frame } from "./frames.ts";
import { isAbandoned, isNear } from "./near-peer.ts";
import { writePlainReply } from "./plain-reply.ts";

export interface Upgrade {
  readonly socket: Duplex;
  /** What came after the request's head. */
  readonly head: Buffer;
  /** Aborted when the server is about to end. */
  readonly closing: AbortSignal;
}

const bodyBytesMax = 1024 * 1024;
const bodyTimeoutMs = 10_000;
const probeIntervalMs = 250;
/** How long a reset takes to come back at most, where a half-close counts. */
const resetMs = { near: 2, far: 50 };
/** What the client may take to close its half, when this one is closed. */
const lingerMs = 2_000;
const keepAliveDelayMs = 10_000;

const nothing = Buffer.alloc(0);

export class HijackedConnection implements ClientConnection {
  readonly gone: AbortSignal;
  readonly #socket: Duplex;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #gone = new AbortController();
  readonly #timers = new Set<NodeJS.Timeout>();
  #rest: Buffer = nothing;
  #isAccepted = false;
  #isFramed = false;
  #isWriting = false;
  /** Nothing was read since the last probe. */
  #isQuiet = false;

  constructor({ socket, head, closing }: Upgrade) {
    this.gone = this.#gone.signal;
    this.#socket = socket;
    this.#chunks = socket.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
    if (head.length > 0) socket.unshift(head);
    const leave = (): void => this.#leave();
    socket.on("error", leave).on("close", leave);
    closing.addEventListener("abort", leave);
    this.gone.addEventListener("abort", () => closing.removeEventListener("abort", leave));
    if (closing.aborted) leave();
  }

  /** The client has been told that the connection is its own. */
  get isAccepted(): boolean {
    return this.#isAccepted;
  }

  /**
   * The request's body, which an upgrade leaves on the connection.
   * @throws PodfleetError INVALID_INPUT when it has no length or is too long; TIMEOUT; CANCELLED when the client goes away
   */
  async body(headers: Readonly<Record<string, unknown>>): Promise<string> {
    if (headers["transfer-encoding"] !== undefined) throw badBody('must have a "Content-Length"');
    const length = Number(headers["content-length"] ?? 0);
    if (!(length <= bodyBytesMax)) throw badBody(`must have at most ${bodyBytesMax} bytes`);
    return await withDeadline(this.#take(length), bodyTimeoutMs, () => {
      return new PodfleetError("TIMEOUT", `The body did not come within ${bodyTimeoutMs} ms`);
    });
  }

  /** Begins the stream: what is written from now on are its bytes. */
  accept({ contentType, isFramed }: { readonly contentType: string; readonly isFramed: boolean }) {
    this.#isAccepted = true;
    this.#isFramed = isFramed;
    this.#socket.write(
      `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
    );
    if (this.#socket instanceof Socket) this.#socket.setKeepAlive(true, keepAliveDelayMs);
    this.#timers.add(setInterval(() => void this.#probe(), probeIntervalMs));
  }

  /** Answers without an upgrade. */
  reply(status: number, body?: object): void {
    writePlainReply(this.#socket, status, body);
    this.end();
  }

  /** As a plain HTTP error before the stream has begun; within the stream afterwards. */
  async fail(error: unknown): Promise<void> {
    const { status, message } = dockerFailure(error);
    if (!this.#isAccepted) return this.reply(status, { message });
    await this.write(frame("stderr", [Buffer.from(`${message}\r\n`)], this.#isFramed));
    this.end();
  }

  async *input(): AsyncGenerator<Uint8Array> {
    if (this.#rest.length > 0) yield this.#rest;
    this.#rest = nothing;
    for (;;) {
      const chunk = await this.#next();
      if (chunk === undefined) break;
      yield chunk;
    }
    await this.#assureHalfClose();
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    if (this.gone.aborted || pieces.length === 0) return;
    this.#isWriting = true;
    const socket = this.#socket;
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
    if (!socket.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      socket.once("drain", resolve);
      this.gone.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  /** A socket that is closed with input unread resets the connection, and the client may lose what it was sent last. */
  end(): void {
    this.#socket.end();
    this.#timers.add(setTimeout(() => this.#socket.destroy(), lingerMs));
    void this.#drain();
  }

  async #drain(): Promise<void> {
    while ((await this.#next()) !== undefined);
  }

  #leave(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#gone.abort();
    this.#socket.destroy();
  }

  async #take(length: number): Promise<string> {
    const taken: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      const chunk = await this.#next();
      if (chunk === undefined) throw new PodfleetError("CANCELLED", "The client went away");
      taken.push(chunk.subarray(0, missing));
      this.#rest = chunk.subarray(Math.min(missing, chunk.length));
      missing -= Math.min(missing, chunk.length);
    }
    return Buffer.concat(taken).toString();
  }

  /** undefined at the end; a client that is gone has no more to say. */
  async #next(): Promise<Buffer | undefined> {
    try {
      const { done, value } = await this.#chunks.next();
      this.#isQuiet = false;
      return done ? undefined : value;
    } catch {
      if (!this.gone.aborted) this.#leave();
      return undefined;
    }
  }

  /** Returns when the client is there and has ended its input, or when it is known to be gone. */
  async #assureHalfClose(): Promise<void> {
    if (this.gone.aborted || !this.#isAccepted) return;
    if (this.#isFramed) this.#socket.write(emptyFrame);
    const durationMs = isNear(this.#socket) ? resetMs.near : resetMs.far;
    await pause(durationMs, this.gone);
    await this.#writeNothing();
  }

  async #probe(): Promise<void> {
    const socket = this.#socket;
    const isSilent = socket.readableEnded || (this.#isQuiet && socket.readableLength > 0);
    const wasWriting = this.#isWriting;
    this.#isWriting = false;
    this.#isQuiet = true;
    if (this.#isFramed && isSilent && !wasWriting) socket.write(emptyFrame);
    await this.#writeNothing();
    if (!this.#isFramed && isSilent && (await isAbandoned(socket))) this.#leave();
  }

  async #writeNothing(): Promise<void> {
    if (this.#socket.writableLength > 0 || !this.#socket.writable) return;
    await new Promise<void>((resolve) => void this.#socket.write(nothing, () => resolve()));
  }
}

const emptyFrame = Buffer.concat(frame("stdout", [], true));

function badBody(requirement: string): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot read the body of an upgrade: it ${requirement}`,
  );
}
