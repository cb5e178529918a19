/**
 * For tests: a control plane with one session, its agent and its command in one. It keeps to the protocol over real WebSockets and goes
 * wrong as it is told.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { systemClock } from "@podfleet/base/clock";
import type { JournalStream } from "@podfleet/base/journal-record";
import { PodfleetError, type WireError } from "@podfleet/model/errors";
import { newContainerId, newHostId } from "@podfleet/model/ids";
import type { CommandExit } from "@podfleet/model/session";
import { apiTransformer } from "@podfleet/protocol/api-value";
import { decodeFrame, encodeFrame, type Frame } from "@podfleet/protocol/stream/frame";
import { type OpenRequest, streamPath, streamSubprotocol } from "@podfleet/protocol/stream/open";
import { type WebSocket, WebSocketServer } from "ws";

/** What a record of a journal has beside its bytes. */
export const recordBytes = 45;

type Piece = Extract<Frame, { readonly type: "output" | "gap" }>;

export class TestSessionServer implements AsyncDisposable {
  readonly token = `pf_0123abcd_${"s".repeat(43)}`;
  /** In the order of offsets. */
  readonly journal: Piece[] = [];
  /** Each opening there was. */
  readonly openings: OpenRequest[] = [];
  /** Every other frame of the client's. */
  readonly frames: Frame[] = [];
  readonly connections: TestConnection[] = [];
  /** What the command has read, and whether it has read the end. */
  input = Buffer.alloc(0);
  inputEnded = false;
  takesInput = true;
  /** How much more input than it has the agent takes. */
  inputRoom = 64 * 1024;
  isTerminal = false;
  exit: CommandExit | undefined;
  /** Instead of `opened`. */
  refusal: WireError | undefined;
  /** Frames for the client that are to be lost: those for which it is true. */
  loses: (frame: Frame) => boolean = () => false;
  /** Whether input that arrives is taken. */
  takes: () => boolean = () => true;
  readonly #http: Server;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    handleProtocols: () => streamSubprotocol,
  });

  private constructor(http: Server) {
    this.#http = http;
    http.on("request", (request, response) => answer(request, response, this.token));
    http.on("upgrade", (request: IncomingMessage, socket, head): void => {
      const isKnown = request.headers["sec-websocket-protocol"]?.includes(this.token);
      if (!isKnown || request.url !== streamPath) return void socket.destroy();
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        this.connections.push(new TestConnection(this, webSocket));
      });
    });
  }

  static async start(): Promise<TestSessionServer> {
    const http = createServer();
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    return new TestSessionServer(http);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  get isExitSent(): boolean {
    return this.connections.some((connection) => connection.isExitSent);
  }

  /** Where the journal ends. */
  get end(): number {
    return endOf(this.journal.at(-1));
  }

  write(text: string | Uint8Array, stream: JournalStream = "stdout"): void {
    const bytes = Buffer.from(text);
    const offset = this.end;
    const next = offset + recordBytes + bytes.length;
    this.journal.push({ type: "output", offset, next, stream, bytes });
    this.pump();
  }

  /** Takes away everything before the piece `index`. */
  punch(index: number): void {
    const to = endOf(this.journal[index - 1]);
    this.journal.splice(0, index, { type: "gap", from: 0, to });
  }

  endCommand(exitCode: number): void {
    this.exit = { exitCode, exitUnknown: false, timedOut: false };
    this.pump();
  }

  /** The last one. */
  get connection(): TestConnection | undefined {
    return this.connections.at(-1);
  }

  pump(): void {
    this.connection?.pump();
  }

  async settled(): Promise<void> {
    await this.connection?.settled();
  }

  /** Beats quickly until `work` is done. */
  async beatDuring<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const settled = work.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      this.connection?.beat();
      // oxlint-disable-next-line no-restricted-properties -- the pause between two beats
      await Promise.race([settled, systemClock.sleep(2)]);
    }
    return await settled;
  }

  /** Breaks every connection off. */
  cut(): void {
    for (const connection of this.connections) connection.cut();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#http.closeAllConnections();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#http.close(() => resolve());
    return promise;
  }
}

/** The agent's end of one connection. */
export class TestConnection {
  readonly #server: TestSessionServer;
  readonly #webSocket: WebSocket;
  /** Up to where output was sent, may be sent, and was acknowledged; undefined before the opening. */
  #output: { sent: number; limit: number; acknowledged: number } | undefined;
  isExitSent = false;

  constructor(server: TestSessionServer, webSocket: WebSocket) {
    this.#server = server;
    this.#webSocket = webSocket;
    webSocket.on("message", (data) => this.#receive(decodeFrame(data as Buffer)));
  }

  /** Up to where output was sent. */
  get sent(): number {
    return this.#output?.sent ?? 0;
  }

  get isOpen(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  send(frame: Frame): void {
    if (!this.#server.loses(frame)) this.sendBytes(encodeFrame(frame));
  }

  sendBytes(bytes: Uint8Array | string): void {
    this.#webSocket.send(bytes);
  }

  beat(): void {
    if (!this.isOpen || !this.#output) return;
    this.send({ type: "beat", offset: this.#output.sent, seq: this.#server.input.length });
  }

  cut(): void {
    this.#webSocket.terminate();
  }

  /** Resolves when the client has taken everything that was sent, or the connection has ended. */
  async settled(): Promise<void> {
    if (!this.isOpen) return;
    const answered = ["pong", "close"].map(async (event) => await once(this.#webSocket, event));
    this.#webSocket.ping();
    await Promise.race(answered);
  }

  pump(): void {
    if (!this.#output) return;
    for (const piece of this.#server.journal) {
      const { sent, limit } = this.#output;
      if (endOf(piece) <= sent) continue;
      if (endOf(piece) > limit) return;
      this.#output.sent = endOf(piece);
      this.send(piece.type === "gap" ? { ...piece, from: sent } : piece);
    }
    const { exit, end } = this.#server;
    if (!exit || this.isExitSent || this.#output.acknowledged < end) return;
    this.isExitSent = true;
    this.send({ type: "exit", offset: end, exit });
  }

  #receive(frame: Frame): void {
    if (frame.type === "open") return this.#open(frame.request);
    this.#server.frames.push(frame);
    switch (frame.type) {
      case "credit":
        if (!this.#output) return;
        this.#output.acknowledged = Math.max(this.#output.acknowledged, frame.offset);
        this.#output.limit = frame.offset + frame.window;
        return this.pump();
      case "input":
        return this.#take(frame.seq, frame.bytes);
      case "inputEnd":
        if (frame.seq === this.#server.input.length) this.#server.inputEnded = true;
        return;
      default:
    }
  }

  #open(request: OpenRequest): void {
    this.#server.openings.push(request);
    const { refusal, takesInput, input, inputEnded } = this.#server;
    if (refusal) return this.send({ type: "error", error: refusal });
    const offset = request.offset ?? 0;
    this.#output = { sent: offset, limit: offset + request.window, acknowledged: offset };
    const session = {
      ...{ id: request.session, containerId, run: 1, spec: request.spec, caller: "tester" },
      ...{ tty: this.#server.isTerminal, openedAt: new Date().toISOString(), connected: true },
      ...{ detached: false, acknowledged: offset },
    };
    const seq = input.length;
    const opened = {
      ...{ session, offset },
      ...(takesInput ? { input: { seq, limit: this.#inputLimit, ended: inputEnded } } : {}),
      container: { id: containerId, name: "web" },
      host: { id: hostId, name: "host-1" },
    };
    this.send({ type: "opened", opened });
    this.pump();
  }

  #take(seq: number, bytes: Uint8Array): void {
    if (!this.#server.takes()) return;
    const has = this.#server.input.length;
    if (seq > has) return;
    if (seq + bytes.length > this.#inputLimit) throw new Error("Input goes beyond its limit");
    this.#server.input = Buffer.concat([this.#server.input, bytes.subarray(has - seq)]);
    this.acknowledge();
  }

  acknowledge(): void {
    this.send({ type: "ack", seq: this.#server.input.length, limit: this.#inputLimit });
  }

  get #inputLimit(): number {
    return this.#server.input.length + this.#server.inputRoom;
  }
}

const containerId = newContainerId();
const hostId = newHostId();

function endOf(piece: Piece | undefined): number {
  if (!piece) return 0;
  return piece.type === "gap" ? piece.to : piece.next;
}

/** `system.info`, as tRPC answers it. */
function answer(request: IncomingMessage, response: ServerResponse, token: string): void {
  const isKnown = request.headers.authorization === `Bearer ${token}`;
  const { code, message } = new PodfleetError("UNAUTHENTICATED", "Cannot accept the API token");
  const error = { message, code: -32_001, data: { code, podfleet: { code, message } } };
  const body = isKnown
    ? { result: { data: apiTransformer.serialize({ version: "0.1.0" }) } }
    : { error: apiTransformer.serialize(error) };
  response.writeHead(isKnown ? 200 : 401, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
