import type { ApiOutputs } from "@podfleet/client/api";
import type { Client } from "@podfleet/client/client";
import { PodfleetError } from "@podfleet/model/errors";

export type ListedSession = ApiOutputs["sessions"]["list"]["sessions"][number];

/**
 * Finds the session whose id is `reference` or begins with it, among ended sessions too.
 * @throws PodfleetError SESSION_NOT_FOUND, AMBIGUOUS_ID
 */
export async function findSession({ api }: Client, reference: string): Promise<ListedSession> {
  const { sessions, silentHosts } = await api.sessions.list.query({ all: true });
  const found = sessions.filter(({ id }) => id.startsWith(reference.toLowerCase()));
  const [session, ...others] = found;
  if (session && others.length === 0 && reference !== "") return session;
  const text = JSON.stringify(reference);
  if (session) {
    throw new PodfleetError(
      "AMBIGUOUS_ID",
      `Cannot tell which session ${text} is: ${found.length} ids begin with it`,
    );
  }
  const names = silentHosts.map(({ name }) => `"${name}"`).join(", ");
  const silent = names === "" ? "" : `; ${names} did not answer`;
  throw new PodfleetError(
    "SESSION_NOT_FOUND",
    `Cannot find session ${text}: no host that answers has it, or it is no longer kept${silent}`,
  );
}
