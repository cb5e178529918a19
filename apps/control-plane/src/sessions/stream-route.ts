/**
 * `GET /sessions/stream` as a WebSocket: a client's connection to a session (protocol/stream). The token is in the header
 * `authorization`, or beside the subprotocol `podfleet.stream.v1` as `podfleet.token.<token>`.
 */
import { PodfleetError } from "@podfleet/model/errors";
import {
  streamPath,
  streamSubprotocol,
  tokenSubprotocolPrefix,
} from "@podfleet/protocol/stream/open";
import { type ServerOptions, WebSocketServer } from "ws";

import type { Upgrade, UpgradeRoute } from "../http/upgrades.ts";
import type { Callers } from "../services/api-tokens.ts";
import { clientFrameBytesMax, ClientSocket } from "./client-socket.ts";
import type { SessionRelay } from "./session-relay.ts";

export interface StreamRouteOptions {
  readonly callers: Callers;
  readonly relay: SessionRelay;
}

/** The time that a client has to answer the close of a connection. */
const closeTimeoutMs = 500;

export function streamRoute({ callers, relay }: StreamRouteOptions): UpgradeRoute {
  const options: ServerOptions & { readonly closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: clientFrameBytesMax,
    handleProtocols: () => streamSubprotocol,
    closeTimeout: closeTimeoutMs,
  };
  const webSockets = new WebSocketServer(options);

  const take = async ({ request, socket, head }: Upgrade): Promise<void> => {
    const { headers } = request;
    const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
    const authorization = headers.authorization ?? authorizationOf(offered);
    const caller = await callers.authenticate(authorization);
    if (!offered.includes(streamSubprotocol)) throw notOffered();
    relay.assertRoom();
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      relay.take({ client: new ClientSocket(webSocket), caller, headers });
    });
  };
  return { protocol: "websocket", method: "GET", path: new RegExp(`^${streamPath}$`), take };
}

function authorizationOf(subprotocols: readonly string[]): string | undefined {
  const holder = subprotocols.find((name) => name.startsWith(tokenSubprotocolPrefix));
  return holder && `Bearer ${holder.slice(tokenSubprotocolPrefix.length)}`;
}

function notOffered(): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot open a stream: the subprotocol "${streamSubprotocol}" is not among those that are offered`,
  );
}
