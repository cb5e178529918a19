/** How background work fares: this replica's, and that of the hosts, whose agents are asked each time. */
import type { Loop } from "@podfleet/base/loop";
import { getHost, type HostLiveness, listHostLiveness } from "@podfleet/db/hosts";
import { PodfleetError } from "@podfleet/model/errors";
import type { HostInspection } from "@podfleet/model/host";
import { type FleetLoops, isInTrouble, type LoopStatus } from "@podfleet/model/loop-status";

import type { Fleet } from "./fleet.ts";

/** An agent answers from memory. */
const timeoutMs = 1_000;

/** @throws PodfleetError HOST_NOT_FOUND */
export async function inspectHost(fleet: Fleet, reference: string): Promise<HostInspection> {
  const host = await getHost(fleet.database, reference);
  const loops = await askForLoops(fleet, host);
  return { ...host, ...(loops ? { loops } : {}) };
}

export async function inspectLoops(fleet: Fleet, loops: readonly Loop[]): Promise<FleetLoops> {
  const hosts = await listHostLiveness(fleet.database);
  const answers = await Promise.all(
    hosts.map(async (host) => ({ name: host.name, loops: await askForLoops(fleet, host) })),
  );
  return {
    controlPlane: loops.map(({ status }) => status),
    hosts: answers.flatMap(({ name, loops: all = [] }) => {
      const inTrouble = all.filter(isInTrouble);
      return inTrouble.length > 0 ? [{ name, loops: inTrouble }] : [];
    }),
  };
}

/** @returns undefined when the host's agent does not answer, or knows no such request */
async function askForLoops(
  fleet: Fleet,
  { id, state }: Pick<HostLiveness, "id" | "state">,
): Promise<LoopStatus[] | undefined> {
  if (state === "unreachable") return undefined;
  try {
    const { loops } = await fleet.hosts.request(id, "loops", { payload: {}, timeoutMs });
    return loops;
  } catch (error) {
    // Safe to ignore: what else is known of the host is shown without it.
    if (!(error instanceof PodfleetError)) throw error;
    return undefined;
  }
}
