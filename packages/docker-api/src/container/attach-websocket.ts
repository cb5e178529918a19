/** `GET /containers/{id}/attach/ws`: a container's streams, without frames, as the messages of a WebSocket. */
import { WebSocketServer } from "ws";

import { callerOf, type StreamingOptions } from "../http/call.ts";
import { dockerFailure } from "../http/docker-failure.ts";
import { readQuery } from "../http/query.ts";
import { type UpgradeRoute, upgradePath, upgradeTarget } from "../http/upgrade-call.ts";
import { writePlainReply } from "../stream/plain-reply.ts";
import { WebSocketConnection } from "../stream/websocket-connection.ts";
import { attachQuery } from "./attach-query.ts";
import { getAttachable, openAttachment, relayAttachment } from "./attach.ts";

const path = upgradePath("containers", "attach/ws");
const messageBytesMax = 1024 * 1024;

export function attachWebSocket(options: StreamingOptions): UpgradeRoute {
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: messageBytesMax,
  });
  return {
    ...{ protocol: "websocket", method: "GET", path },
    take: async ({ request, socket, head }) => {
      try {
        const target = upgradeTarget(request, path);
        const query = readQuery(attachQuery, target.query);
        const caller = await callerOf(options, request.headers);
        const container = await getAttachable(caller, target.reference);
        webSockets.handleUpgrade(request, socket, head, (webSocket) => {
          const connection = new WebSocketConnection(webSocket, options.closing);
          const attached = openAttachment({ caller, container, connection, query });
          attached
            .then(async (attachment) => await relayAttachment(attachment, false))
            .then(() => connection.end())
            .catch((error: unknown) => connection.fail(dockerFailure(error).message));
        });
      } catch (error) {
        const { status, message } = dockerFailure(error);
        writePlainReply(socket, status, { message });
      }
    },
  };
}
