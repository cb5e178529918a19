/**
 * Connections that leave HTTP for another protocol (RFC 9110, section 7.8). A request that no route here takes is handled as one
 * without an upgrade is.
 */
import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

import { httpStatusOf } from "@podfleet/api/procedures/error-shape";

import { wireErrorOf } from "./wire-error.ts";

export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** The bytes that arrived after the request's head. */
  readonly head: Buffer;
}

export interface UpgradeRoute {
  /** The requested protocol in lower case: `websocket`, `tcp`. */
  readonly protocol: string;
  readonly method: "GET" | "POST";
  /** A pattern of the whole path, without the query. */
  readonly path: RegExp;
  /** Takes over the connection. An error that it throws before it has written anything becomes an HTTP error. */
  readonly take: (upgrade: Upgrade) => Promise<void>;
}

/** The route for the request. */
export function findUpgradeRoute(
  routes: readonly UpgradeRoute[],
  request: IncomingMessage,
): UpgradeRoute | undefined {
  const protocol = request.headers.upgrade?.toLowerCase();
  return routes.find((route) => route.protocol === protocol && isAt(route, request));
}

/** The protocol that the path needs, for a request that asked for another or none. */
export function findMissingUpgrade(
  routes: readonly UpgradeRoute[],
  request: IncomingMessage,
): string | undefined {
  return routes.find((route) => isAt(route, request))?.protocol;
}

function isAt(route: UpgradeRoute, { method, url = "" }: IncomingMessage): boolean {
  const [path = ""] = url.split("?");
  return route.method === method && route.path.test(path);
}

export function serveUpgrades(
  server: Server,
  routes: readonly UpgradeRoute[],
  onDefect: (error: unknown, path: string | undefined) => void,
): void {
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const taking = findUpgradeRoute(routes, request)?.take({ request, socket, head });
    taking?.catch((error: unknown) => {
      onDefect(error, request.url);
      refuse(socket, error);
    });
  });
}

function refuse(socket: Duplex, error: unknown): void {
  const wire = wireErrorOf(error);
  const status = httpStatusOf(wire);
  const body = JSON.stringify({ error: wire });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "content-type: application/json; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
