/** A session's connection over a WebSocket, which is the platform's own, so that it works in Node and in browsers. */
import { PodfleetError } from "@podfleet/model/errors";
import {
  StreamConnection,
  type StreamListener,
  unexpected,
} from "@podfleet/protocol/session/stream-connection";
import { type OpenRequest, streamPath } from "@podfleet/protocol/stream/open";

import type { Api } from "../api.ts";
import type { Connection } from "../connection.ts";

export interface Caller {
  readonly api: Api;
  readonly connection: Connection;
}

/** @throws PodfleetError UNAUTHENTICATED when the token cannot be one */
export function connectStream(
  { api, connection }: Caller,
  request: OpenRequest,
  listener: StreamListener,
): StreamConnection {
  const lost = (reason: string): PodfleetError => connection.failure(new Error(reason));
  const webSocket = connection.webSocket(streamPath);
  webSocket.binaryType = "arraybuffer";
  const stream = new StreamConnection(
    {
      send: (frame) => webSocket.send(frame as Uint8Array<ArrayBuffer>),
      close: () => webSocket.close(),
      lost,
    },
    listener,
  );
  let isConnected = false;
  webSocket.addEventListener("open", () => {
    isConnected = true;
    stream.send({ type: "open", request });
  });
  webSocket.addEventListener("message", ({ data }) => {
    if (data instanceof ArrayBuffer) stream.receive(new Uint8Array(data));
    else stream.fail(unexpected("a text"));
  });
  const broken = (): void => {
    if (stream.isOver) return;
    if (isConnected) return stream.fail(lost("the connection broke off"));
    stream.close();
    void refusal(api, lost).then(listener.onFailure);
  };
  for (const event of ["error", "close"] as const) webSocket.addEventListener(event, broken);
  return stream;
}

/** A WebSocket does not tell why it could not be opened, and an ordinary call does. */
async function refusal(api: Api, lost: (reason: string) => PodfleetError): Promise<PodfleetError> {
  try {
    await api.system.info.query();
  } catch (error) {
    return PodfleetError.from(error);
  }
  return lost("it answers calls and takes no connection for streams");
}
