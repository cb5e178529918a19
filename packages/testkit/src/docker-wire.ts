/** A client of Docker's API at the level of bytes: it writes a request to a socket and reads the raw response. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

import { withDeadline } from "@podfleet/base/deadline";

export interface DockerAddress {
  /** A Unix socket's path, or the control plane's host and port. */
  readonly at: string;
  readonly token?: string;
}

export interface WireRequest {
  readonly method?: string;
  readonly path: string;
  /** The protocol to upgrade to; none when absent. */
  readonly upgrade?: string;
  readonly body?: string;
}

export interface WireFrame {
  /** 1 stdout, 2 stderr. */
  readonly stream: number;
  readonly text: string;
}

const answerTimeoutMs = 10_000;

export class DockerWire implements Disposable {
  readonly socket: Socket;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly #reader: Reader;

  /** Resolves when the response's head has arrived. */
  static async open(address: DockerAddress, request: WireRequest): Promise<DockerWire> {
    const { hostname, port } = address.at.startsWith("/") ? {} : new URL(address.at);
    const options = hostname ? { host: hostname, port: Number(port) } : { path: address.at };
    const socket = connect({ ...options, allowHalfOpen: true });
    await once(socket, "connect");
    const reader = new Reader(socket);
    socket.write(headOf(address, request));
    const [first = "", ...lines] = (await reader.until("\r\n\r\n")).split("\r\n");
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const [, name, value = ""] = /^([^:]+): *(.*)$/.exec(line) ?? [];
      if (name !== undefined) headers[name.toLowerCase()] = value;
    }
    return new DockerWire(socket, reader, { status: Number(first.split(" ")[1]), headers });
  }

  private constructor(
    socket: Socket,
    reader: Reader,
    head: { readonly status: number; readonly headers: DockerWire["headers"] },
  ) {
    this.socket = socket;
    this.#reader = reader;
    this.status = head.status;
    this.headers = head.headers;
  }

  /** Reads the body of a response with a content length. */
  async body(): Promise<string> {
    return (await this.#reader.take(Number(this.headers["content-length"] ?? 0))).toString();
  }

  /** Reads the next frame; undefined at the end. */
  async frame(): Promise<WireFrame | undefined> {
    const header = await this.#reader.find(8);
    if (header === undefined) return undefined;
    const text = (await this.#reader.take(header.readUInt32BE(4))).toString("latin1");
    return { stream: header.readUInt8(0), text };
  }

  /** Reads to the end and returns the output of each stream. */
  async streams(): Promise<{ stdout: string; stderr: string }> {
    const texts = { stdout: "", stderr: "" };
    for (;;) {
      const next = await this.frame();
      if (next === undefined) return texts;
      texts[next.stream === 1 ? "stdout" : "stderr"] += next.text;
    }
  }

  /** Reads raw bytes up to `end`. */
  async until(end: string): Promise<string> {
    return await this.#reader.until(end);
  }

  /** Reads raw bytes up to the end. */
  async rest(): Promise<string> {
    return await this.#reader.rest();
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Half-closes the connection; it can still be read. */
  halfClose(): void {
    this.socket.end();
  }

  /** Closes the connection as the kernel does when the client is killed. */
  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

function headOf({ token }: DockerAddress, request: WireRequest): string {
  const { method = "POST", path, upgrade, body } = request;
  const lines = [
    `${method} ${path} HTTP/1.1`,
    "Host: docker",
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    ...(upgrade === undefined ? [] : ["Connection: Upgrade", `Upgrade: ${upgrade}`]),
    ...(body === undefined
      ? []
      : ["Content-Type: application/json", `Content-Length: ${Buffer.byteLength(body)}`]),
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body ?? ""}`;
}

/** Reads a socket by length and by delimiter. */
class Reader {
  #buffer = Buffer.alloc(0);
  #isEnded = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    socket.on("data", (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#wake();
    });
    for (const event of ["end", "close", "error"]) {
      socket.on(event, () => {
        this.#isEnded = true;
        this.#wake();
      });
    }
  }

  async take(length: number): Promise<Buffer> {
    const taken = await this.find(length);
    if (taken === undefined && length > 0) throw new Error(`Ended before ${length} bytes`);
    return taken ?? Buffer.alloc(0);
  }

  /** Reads the next chunk; undefined at the end. */
  async find(length: number): Promise<Buffer | undefined> {
    await this.#wait(() => this.#buffer.length >= length || this.#isEnded);
    if (this.#buffer.length === 0) return undefined;
    if (this.#buffer.length < length) {
      throw new Error(`Ended within ${length} bytes: ${JSON.stringify(this.#buffer.toString())}`);
    }
    return this.#cut(length);
  }

  async until(end: string): Promise<string> {
    await this.#wait(() => this.#buffer.includes(end) || this.#isEnded);
    const at = this.#buffer.indexOf(end);
    if (at >= 0) return this.#cut(at + end.length).toString("latin1");
    throw new Error(
      `Ended without ${JSON.stringify(end)}: ${JSON.stringify(this.#buffer.toString())}`,
    );
  }

  async rest(): Promise<string> {
    await this.#wait(() => this.#isEnded);
    return this.#cut(this.#buffer.length).toString("latin1");
  }

  #cut(length: number): Buffer {
    const cut = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return cut;
  }

  async #wait(isReady: () => boolean): Promise<void> {
    while (!isReady()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await withDeadline(promise, answerTimeoutMs, () => {
        const got = JSON.stringify(this.#buffer.subarray(-500).toString());
        return new Error(`Nothing more came within ${answerTimeoutMs} ms; unread: ${got}`);
      });
    }
  }
}
