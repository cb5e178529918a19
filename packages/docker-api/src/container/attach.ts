/**
 * HTTPAttach: a hijacked connection that carries the container's input and output. A container that does not run yet can be
 * attached to: the stream begins with the first byte of its next run.
 */
import type { ContainerInspect } from "@podfleet/model/container/record";
import { PodfleetError } from "@podfleet/model/errors";

import type { DockerCaller } from "../http/call.ts";
import type { ClientConnection } from "../stream/client-connection.ts";
import { openRelayed, type RelayedSession, relaySession } from "../stream/relay-session.ts";
import type { AttachQuery } from "./attach-query.ts";
import { LogFrames } from "./log-frames.ts";
import { readLogs } from "./read-logs.ts";

export interface AttachWish {
  readonly caller: DockerCaller;
  readonly container: ContainerInspect;
  readonly connection: ClientConnection;
  readonly query: AttachQuery;
}

export interface Attachment extends AttachWish {
  /** Absent when only past output is asked for. */
  readonly session: RelayedSession | undefined;
}

/** @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID; STATE_INVALID when it is paused or being removed */
export async function getAttachable(
  caller: DockerCaller,
  reference: string,
): Promise<ContainerInspect> {
  const container = await caller.api.containers.inspect({ container: reference });
  switch (container.state) {
    case "paused":
      throw refusal(container, "You cannot attach to a paused container, unpause it first");
    case "removing":
      throw refusal(container, "You cannot attach to a container that is being removed");
    default:
      return container;
  }
}

/** @throws PodfleetError errors of opening the session; CANCELLED when the client is gone */
export async function openAttachment(wish: AttachWish): Promise<Attachment> {
  const { caller, container, connection, query } = wish;
  if (!query.stream) return { ...wish, session: undefined };
  const { id, state, spec } = container;
  const session = await openRelayed(caller, connection, {
    container: id,
    spec: {
      run: state === "running" ? "present" : "next",
      input: query.stdin && spec.stdin ? "shared" : "none",
      from: query.logs ? "start" : "now",
    },
  });
  return { ...wish, session };
}

/** Resolves when the session has ended. @throws PodfleetError the session's failure; CANCELLED when the client is gone */
export async function relayAttachment(attachment: Attachment, isFramed: boolean): Promise<void> {
  const { caller, container, connection, query, session } = attachment;
  if (session) return await relaySession(session, { ...query, isFramed });
  const frames = new LogFrames({ ...query, isFramed, timestamps: false });
  const request = { container: container.id };
  for await (const records of readLogs(caller, request, connection.gone)) {
    await connection.write([frames.encode(records)]);
  }
}

function refusal({ name, state }: ContainerInspect, message: string): PodfleetError {
  return new PodfleetError("STATE_INVALID", `${message}: state of "${name}" is "${state}"`, {
    details: { container: name, state },
  });
}
