import type { HostClient } from "@podfleet/bus/host-client";
import type { Database } from "@podfleet/db/database";
import { listHostLiveness, touchHosts } from "@podfleet/db/hosts";
import { hasCode } from "@podfleet/model/errors";

const answerMs = 1_000;

/**
 * Asks every host on record whether its agent is there. A control plane that was away does this before it listens, so
 * that it does not call hosts unreachable which nobody was there to hear.
 * @returns how many answered
 */
export async function callRoll(database: Database, client: HostClient): Promise<number> {
  const hosts = await listHostLiveness(database);
  const answers = await Promise.all(
    hosts.map(async ({ id }) => {
      try {
        await client.request(id, "ping", { payload: {}, timeoutMs: answerMs });
        return [id];
      } catch (error) {
        if (hasCode(error, "HOST_UNREACHABLE", "UNAVAILABLE")) return [];
        throw error;
      }
    }),
  );
  const heard = answers.flat();
  if (heard.length > 0) await touchHosts(database, heard);
  return heard.length;
}
