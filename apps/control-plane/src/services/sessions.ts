/** Sessions. Only their host's agent has records of them, so it is asked each time. */
import type { SessionCloseRequest, SessionListRequest } from "@podfleet/api/requests/sessions";
import type { SessionList } from "@podfleet/api/services/sessions";
import { findContainerNames } from "@podfleet/db/containers";
import { type HostLiveness, listHostLiveness } from "@podfleet/db/hosts";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { ContainerId, SessionId } from "@podfleet/model/ids";
import type { Session } from "@podfleet/model/session";
import type { sessionListReplySchema } from "@podfleet/protocol/host/session";
import type { z } from "zod";

import type { Fleet } from "./fleet.ts";
import { getReachableContainer } from "./known-container.ts";
import { unreachable } from "./unreachable.ts";

type HostSession = z.infer<typeof sessionListReplySchema>["sessions"][number];
type Host = Pick<HostLiveness, "id" | "name">;

const timeoutMs = 2_000;

/**
 * Lists the sessions of a container, or of all hosts when none is named.
 * @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE when the container's host does not answer
 */
export async function listSessions(
  fleet: Fleet,
  { container, ...filter }: SessionListRequest,
): Promise<SessionList> {
  const row = container === undefined ? undefined : await getReachableContainer(fleet, container);
  const hosts = row ? [row.host] : await listHostLiveness(fleet.database);
  const answers = await Promise.all(
    hosts.map(async ({ id, name, state }) => {
      const host = { id, name };
      const sessions =
        state === "ready" ? await ask(fleet, host, { ...filter, containerId: row?.id }) : undefined;
      if (row && !sessions) throw unreachable(host);
      return { host, sessions };
    }),
  );
  const found = answers.flatMap(({ host, sessions = [] }) =>
    sessions.map((session) => ({ ...session, host })),
  );
  const ids = new Set(found.map(({ containerId }) => containerId));
  const names = await findContainerNames(fleet.database, [...ids]);
  return {
    sessions: found
      .toSorted((a, b) => a.openedAt.localeCompare(b.openedAt))
      .map((session) => {
        const containerName = names.get(session.containerId);
        return containerName === undefined ? session : { ...session, containerName };
      }),
    silentHosts: answers.flatMap(({ host, sessions }) => (sessions ? [] : [host])),
  };
}

/**
 * Ends a session, wherever it is; its command runs on. Harmless when it has ended.
 * @throws PodfleetError SESSION_NOT_FOUND, CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE
 */
export async function closeSession(
  fleet: Fleet,
  { container, session }: SessionCloseRequest,
): Promise<Session> {
  const { sessions, silentHosts } = await listSessions(fleet, { container, session, all: true });
  const [found] = sessions;
  if (!found) throw notFound(session, silentHosts);
  const call = { payload: { sessionId: session }, timeoutMs };
  const closed = await fleet.hosts.request(found.host.id, "session.close", call);
  return closed.session;
}

/** @returns undefined when the host does not answer */
async function ask(
  fleet: Fleet,
  host: Host,
  filter: Omit<SessionListRequest, "container"> & { readonly containerId: ContainerId | undefined },
): Promise<HostSession[] | undefined> {
  const { session: sessionId, ...rest } = filter;
  try {
    const call = { payload: { sessionId, ...rest }, timeoutMs };
    return (await fleet.hosts.request(host.id, "session.list", call)).sessions;
  } catch (error) {
    if (hasCode(error, "HOST_UNREACHABLE")) return undefined;
    throw error;
  }
}

function notFound(session: SessionId, silentHosts: readonly Host[]): PodfleetError {
  const names = silentHosts.map(({ name }) => name);
  const silent = names.length > 0 ? `; the hosts "${names.join('", "')}" do not answer` : "";
  return new PodfleetError(
    "SESSION_NOT_FOUND",
    `Cannot find session "${session}": no host that answers has it${silent}`,
    { details: { session, silentHosts: names } },
  );
}
