import { attemptAll } from "@podfleet/base/attempt-all";
import type { LoopResult } from "@podfleet/base/loop";
import type { HostClient } from "@podfleet/bus/host-client";
import type { Database } from "@podfleet/db/database";
import { listHostLiveness, touchHosts } from "@podfleet/db/hosts";
import { isAwayForNow } from "@podfleet/model/errors";
import type { HostId } from "@podfleet/model/ids";

const answerMs = 1_000;

/**
 * Asks every host on record whether its agent is there, and notes those that answer. A control plane that was away does this before
 * it listens, so that it does not call hosts unreachable which nobody was there to hear.
 * @throws what agents answered instead, when all hosts have been asked
 */
export async function pingHosts(
  database: Database,
  client: HostClient,
  signal: AbortSignal,
): Promise<LoopResult> {
  const hosts = await listHostLiveness(database);
  const heard: HostId[] = [];
  const asked = attemptAll(hosts, async ({ id, name }) => {
    try {
      await client.request(id, "ping", { payload: {}, timeoutMs: answerMs, signal });
      heard.push(id);
    } catch (error) {
      if (isAwayForNow(error)) return;
      throw new Error(`Host "${name}" answered a ping with an error`, { cause: error });
    }
  });
  await Promise.allSettled([asked]);
  if (heard.length > 0) await touchHosts(database, heard);
  await asked;
  return { asked: hosts.length, answered: heard.length };
}
