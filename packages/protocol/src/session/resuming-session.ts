/** A session that is resumed at its offsets each time its connection is lost. */
import { isUnreachable, PodfleetError } from "@podfleet/model/errors";
import type { TerminalSize } from "@podfleet/model/exec";
import type { ContainerId, SessionId } from "@podfleet/model/ids";
import type { CommandExit } from "@podfleet/model/session";

import type { Frame } from "../stream/frame.ts";
import type { Opened, OpenRequest } from "../stream/open.ts";
import { Credit } from "./credit.ts";
import { InputQueue } from "./input-queue.ts";
import { type Outage, persist } from "./outage.ts";
import { OutputQueue } from "./output-queue.ts";
import type { SessionOutage, SessionOutput, SessionStream } from "./session-stream.ts";
import type { StreamConnection, StreamListener } from "./stream-connection.ts";

/** The transport between a client and the control plane that serves its session. */
export interface SessionPath {
  readonly connect: (request: OpenRequest, listener: StreamListener) => StreamConnection;
  /** Ends the session on its host. */
  readonly end: (reference: {
    readonly session: SessionId;
    readonly container: ContainerId;
  }) => Promise<unknown>;
  /** Creates the state of one outage. */
  readonly outage: () => Outage;
}

export interface ResumingSessionOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called when the connection is lost, and when the session is resumed. */
  readonly onOutage?: ((outage: SessionOutage) => void) | undefined;
}

export class ResumingSession implements SessionStream {
  readonly id: SessionId;
  readonly exit: Promise<CommandExit>;
  readonly output: ReadableStream<SessionOutput>;
  readonly input: WritableStream<Uint8Array>;
  readonly #path: SessionPath;
  readonly #request: OpenRequest;
  readonly #options: ResumingSessionOptions;
  readonly #outage: Outage;
  readonly #credit: Credit;
  readonly #outputQueue = new OutputQueue(() => this.#onTaken());
  readonly #inputQueue = new InputQueue();
  readonly #opening = Promise.withResolvers<void>();
  readonly #exit = Promise.withResolvers<CommandExit>();
  /** Settled when this client is done with the session. */
  readonly #over = Promise.withResolvers<void>();
  #opened: Opened | undefined;
  /** The open connection; undefined during an outage. */
  #connection: StreamConnection | undefined;
  #downSinceMs: number | undefined;
  #size: TerminalSize | undefined;
  #leaving: "detach" | "close" | undefined;

  /** @param request the request of the first opening; its `window` is kept when the session is resumed */
  constructor(path: SessionPath, request: OpenRequest, options: ResumingSessionOptions) {
    this.id = request.session;
    this.exit = this.#exit.promise;
    this.output = this.#outputQueue.stream;
    this.input = this.#inputQueue.stream;
    this.#path = path;
    this.#request = request;
    this.#options = options;
    this.#outage = path.outage();
    this.#credit = new Credit(request.window, () => this.#giveCredit());
    for (const { promise } of [this.#exit, this.#over]) {
      // Safe to ignore: both streams fail with the same error.
      promise.catch(() => undefined);
    }
    void this.#run();
  }

  /** Resolves when the session is open. */
  async opened(): Promise<void> {
    await this.#opening.promise;
  }

  get container(): Opened["container"] {
    return this.#known.container;
  }

  get host(): Opened["host"] {
    return this.#known.host;
  }

  get run(): number {
    return this.#known.session.run;
  }

  get tty(): boolean {
    return this.#known.session.tty;
  }

  get takesInput(): boolean {
    return this.#known.input !== undefined;
  }

  get offset(): number {
    return this.#outputQueue.taken;
  }

  resize(size: TerminalSize): void {
    this.#size = size;
    this.#connection?.send({ type: "resize", size });
  }

  async detach(): Promise<void> {
    this.#leaving = "detach";
    if (this.#connection) this.#leave();
    await this.#over.promise;
  }

  async close(): Promise<void> {
    this.#leaving = "close";
    const reference = { session: this.id, container: this.#known.container.id };
    await persist(async () => await this.#path.end(reference), this.#path.outage());
    this.#leaveBehind();
  }

  get #known(): Opened {
    if (this.#opened) return this.#opened;
    throw new Error(`Session "${this.id}" is not open yet`);
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        const failure = await this.#connect();
        if (!failure) return;
        this.#notifyDown(failure);
        await this.#outage.survive(failure);
      }
    } catch (error) {
      this.#end(PodfleetError.from(error));
    }
  }

  /** Runs one connection. Resolves with the failure that ended it, or with undefined when the session has ended. */
  async #connect(): Promise<PodfleetError | undefined> {
    const { signal } = this.#options;
    const failed = Promise.withResolvers<PodfleetError>();
    const abort = (): void => failed.resolve(givenUp());
    if (signal?.aborted) return givenUp();
    signal?.addEventListener("abort", abort);
    const connection = this.#path.connect(this.#nextRequest(), {
      onOpened: (opened) => this.#onOpened(connection, opened),
      onFrame: (frame) => this.#onFrame(frame),
      onFailure: failed.resolve,
    });
    try {
      return (await Promise.race([this.#over.promise, failed.promise])) ?? undefined;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#connection = undefined;
      this.#inputQueue.disconnect();
      this.#credit.stop();
      connection.close();
    }
  }

  #nextRequest(): OpenRequest {
    if (!this.#opened) return this.#request;
    const { received, taken } = this.#outputQueue;
    return {
      ...this.#request,
      container: this.#opened.container.id,
      resume: true,
      offset: received,
      window: Math.max(0, taken + this.#request.window - received),
    };
  }

  #onOpened(connection: StreamConnection, opened: Opened): void {
    const isFirst = this.#opened === undefined;
    this.#opened ??= opened;
    if (isFirst) this.#outputQueue.begin(opened.offset);
    else this.#goOnAt(opened.offset);
    this.#connection = connection;
    this.#credit.gave(this.#outputQueue.taken);
    this.#inputQueue.connect(opened.input, (frame) => connection.send(frame));
    if (this.#size) connection.send({ type: "resize", size: this.#size });
    this.#outage.end();
    this.#notifyBack();
    this.#opening.resolve();
    if (this.#leaving === "detach") this.#leave();
  }

  /** Reports the gap when the journal was cut short during an outage. */
  #goOnAt(offset: number): void {
    const from = this.#outputQueue.received;
    if (offset < from) throw misplaced(from, offset);
    if (offset > from) this.#outputQueue.push({ type: "gap", from, to: offset });
  }

  #onFrame(frame: Frame): void {
    const { received } = this.#outputQueue;
    switch (frame.type) {
      case "output":
        if (frame.offset !== received) throw lostFrame(received, frame.offset);
        return this.#outputQueue.push(frame);
      case "gap":
        if (frame.from !== received) throw lostFrame(received, frame.from);
        return this.#outputQueue.push(frame);
      case "ack":
        return this.#inputQueue.acknowledge(frame.seq, frame.limit);
      case "beat":
        if (frame.offset > received) throw lostFrame(received, frame.offset);
        if (this.#inputQueue.isMissedAt(frame.seq)) throw lostInput(frame.seq);
        return this.#credit.beat();
      case "exit":
        if (frame.offset > received) throw lostFrame(received, frame.offset);
        return this.#onExit(frame.exit);
      case "error":
        if (this.#leaving === "close" && frame.error.code === "SESSION_ENDED") return;
        throw PodfleetError.fromWire(frame.error);
      default:
        throw new PodfleetError(
          "INTERNAL",
          `The agent sent a frame that only clients send: "${frame.type}"`,
        );
    }
  }

  /** Ends the session. The reader may not have taken all output yet: after an outage, output that has arrived counts as acknowledged. */
  #onExit(exit: CommandExit): void {
    void this.#outputQueue.drained.then(() => this.#exit.resolve(exit));
    this.#connection?.send({ type: "detach" });
    this.#finish();
  }

  #onTaken(): void {
    const { taken, received } = this.#outputQueue;
    if (this.#connection) this.#credit.taken(taken, taken === received);
  }

  #giveCredit(): void {
    const { taken } = this.#outputQueue;
    this.#credit.gave(taken);
    this.#connection?.send({ type: "credit", offset: taken, window: this.#request.window });
  }

  #notifyDown(error: PodfleetError): void {
    if (!this.#opened || this.#downSinceMs !== undefined) return;
    if (!isUnreachable(error)) return;
    this.#downSinceMs = performance.now();
    this.#options.onOutage?.({ type: "down", error });
  }

  #notifyBack(): void {
    if (this.#downSinceMs === undefined) return;
    const downMs = performance.now() - this.#downSinceMs;
    this.#downSinceMs = undefined;
    this.#options.onOutage?.({ type: "back", downMs });
  }

  /** Detaches: sends the last frame on the connection. */
  #leave(): void {
    this.#connection?.send({ type: "detach" });
    this.#leaveBehind();
  }

  #leaveBehind(): void {
    this.#exit.reject(left(this.id));
    this.#finish();
  }

  #finish(): void {
    this.#outputQueue.end();
    this.#inputQueue.end(over(this.id));
    this.#over.resolve();
  }

  #end(error: PodfleetError): void {
    this.#opening.reject(error);
    this.#outputQueue.end(error);
    this.#inputQueue.end(error);
    this.#exit.reject(error);
    this.#over.reject(error);
  }
}

function givenUp(): PodfleetError {
  return new PodfleetError("CANCELLED", "The caller gave up");
}

function left(id: SessionId): PodfleetError {
  return new PodfleetError("CANCELLED", `Session "${id}" was left before its command ended`);
}

function over(id: SessionId): PodfleetError {
  return new PodfleetError("STATE_INVALID", `Cannot write: session "${id}" has ended`);
}

/** The error of a hole in the output. It is an outage, so the session is resumed at the hole. */
function lostFrame(expected: number, found: number): PodfleetError {
  return new PodfleetError(
    "UNAVAILABLE",
    `Lost output in transit: the next offset is ${found}, must be ${expected}`,
  );
}

function lostInput(seq: number): PodfleetError {
  return new PodfleetError("UNAVAILABLE", `Lost input in transit, after byte ${seq}`);
}

function misplaced(from: number, offset: number): PodfleetError {
  return new PodfleetError(
    "INTERNAL",
    `The agent went back to ${offset} in a journal that was read up to ${from}`,
  );
}
