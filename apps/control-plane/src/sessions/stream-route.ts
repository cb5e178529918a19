/**
 * `GET /sessions/stream` as a WebSocket: a client's connection to a session (protocol/stream). The token is in the header
 * `authorization`, or beside the subprotocol `podfleet.stream.v1` as `podfleet.token.<token>`.
 */
import type { Bus } from "@podfleet/bus/connection";
import { PodfleetError } from "@podfleet/model/errors";
import {
  streamPath,
  streamSubprotocol,
  tokenSubprotocolPrefix,
} from "@podfleet/protocol/stream/open";
import type { Logger } from "pino";
import { type ServerOptions, WebSocketServer } from "ws";

import type { Upgrade, UpgradeRoute } from "../http/upgrades.ts";
import type { Callers } from "../services/api-tokens.ts";
import type { Fleet } from "../services/fleet.ts";
import { clientFrameBytesMax, ClientSocket } from "./client-socket.ts";
import { relaySession } from "./relay.ts";

export interface StreamRouteOptions {
  readonly callers: Callers;
  readonly fleet: Fleet;
  readonly bus: Bus;
  readonly logger: Logger;
}

/** Connections that a replica holds at once. */
const connectionsMax = 4_096;
/** For the client to answer the end of a connection. */
const closeTimeoutMs = 500;

export function streamRoute({ callers, fleet, bus, logger }: StreamRouteOptions): UpgradeRoute {
  const options: ServerOptions & { readonly closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: clientFrameBytesMax,
    handleProtocols: () => streamSubprotocol,
    closeTimeout: closeTimeoutMs,
  };
  const webSockets = new WebSocketServer(options);
  let connections = 0;

  const take = async ({ request, socket, head }: Upgrade): Promise<void> => {
    const { headers } = request;
    const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
    const authorization = headers.authorization ?? authorizationOf(offered);
    const caller = await callers.authenticate(authorization);
    if (!offered.includes(streamSubprotocol)) throw notOffered();
    if (connections >= connectionsMax) throw tooMany();
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      connections += 1;
      const client = new ClientSocket(webSocket);
      void relaySession({ fleet, bus, logger }, { client, caller, headers }).finally(() => {
        connections -= 1;
      });
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

function tooMany(): PodfleetError {
  return new PodfleetError(
    "UNAVAILABLE",
    `Cannot open a stream: this replica of the control plane holds ${connectionsMax}, as many as it may`,
  );
}
