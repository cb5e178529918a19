import { attemptAll } from "@podfleet/base/attempt-all";
import type { LoopResult } from "@podfleet/base/loop";
import type { HostClient } from "@podfleet/bus/host-client";
import type { Database } from "@podfleet/db/database";
import { listHostLiveness, touchHosts } from "@podfleet/db/hosts";
import { isUnreachable } from "@podfleet/model/errors";
import type { HostId } from "@podfleet/model/ids";

const answerMs = 1_000;

/**
 * Pings every host on record and records those that answer. A control plane does this when it starts, before
 * it listens: while it was away nobody recorded the hosts' heartbeats, so they would look unreachable.
 * @throws unexpected replies, after all hosts have been pinged
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
      if (isUnreachable(error)) return;
      throw new Error(`Host "${name}" answered a ping with an error`, { cause: error });
    }
  });
  await Promise.allSettled([asked]);
  if (heard.length > 0) await touchHosts(database, heard);
  await asked;
  return { asked: hosts.length, answered: heard.length };
}
