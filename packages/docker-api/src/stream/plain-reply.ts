import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** Sends a plain HTTP response to a request that asked for an upgrade, and closes the connection. */
export function writePlainReply(socket: Duplex, status: number, body?: object): void {
  const text = body === undefined ? "" : JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    ...(body === undefined ? [] : ["Content-Type: application/json"]),
    `Content-Length: ${Buffer.byteLength(text)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${text}`);
}
