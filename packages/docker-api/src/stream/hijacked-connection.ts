/**
 * A connection that was upgraded from HTTP to a bidirectional byte stream (Docker calls it hijacked). A client half-closes it when it sends no
 * more. A client that was killed looks the same at first: its kernel closes both halves, and reports the other half only when it is
 * sent something. So a quiet client is probed: by an empty write, which fails when this kernel knows; by an empty
 * frame, which the kernel of a killed process answers with a reset; and for raw streams by a look at the kernel's table of
 * connections, which has both ends of a loopback connection. A remote client of a raw stream is noticed with the next output only.
 */
import { Socket } from "node:net";
import type { Duplex } from "node:stream";

import { withDeadline } from "@podfleet/base/deadline";
import { pause } from "@podfleet/base/pause";
import { PodfleetError } from "@podfleet/model/errors";

import { dockerFailure } from "../http/docker-failure.ts";
import type { ClientConnection } from "./client-connection.ts";
import { frame } from "./frames.ts";
import { hasClosedPeer, isLoopback } from "./loopback-peer.ts";
import { writePlainReply } from "./plain-reply.ts";

export interface Upgrade {
  readonly socket: Duplex;
  /** The bytes that arrived after the request's head. */
  readonly head: Buffer;
  /** Aborted when the server is about to end. */
  readonly closing: AbortSignal;
}

const bodyBytesMax = 1024 * 1024;
const bodyTimeoutMs = 10_000;
const probeIntervalMs = 250;
/** The time to wait for a reset before a half-close is taken for the end of input. */
const resetMs = { loopback: 2, remote: 50 };
/** The time that the client has to close its half after this one is closed. */
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
  /** Whether nothing was read since the last probe. */
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

  /** Whether the upgrade was accepted. */
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

  /** Accepts the upgrade and begins the stream. */
  accept({ contentType, isFramed }: { readonly contentType: string; readonly isFramed: boolean }) {
    this.#isAccepted = true;
    this.#isFramed = isFramed;
    this.#socket.write(
      `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
    );
    if (this.#socket instanceof Socket) this.#socket.setKeepAlive(true, keepAliveDelayMs);
    this.#timers.add(setInterval(() => void this.#probe(), probeIntervalMs));
  }

  /** Sends an HTTP response without an upgrade. */
  reply(status: number, body?: object): void {
    writePlainReply(this.#socket, status, body);
    this.end();
  }

  /** Sends an error: as an HTTP response before the stream has begun; within the stream afterwards. */
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

  /** Closes the connection. Reads what input is left first: a socket closed with unread input resets it, and the client may lose the last output. */
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

  /** Reads the next chunk; undefined at the end, or when the client is gone. */
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

  /** Resolves when it is known whether a client that half-closed is connected or gone. */
  async #assureHalfClose(): Promise<void> {
    if (this.gone.aborted || !this.#isAccepted) return;
    if (this.#isFramed) this.#socket.write(emptyFrame);
    const durationMs = isLoopback(this.#socket) ? resetMs.loopback : resetMs.remote;
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
    if (!this.#isFramed && isSilent && (await hasClosedPeer(socket))) this.#leave();
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
