/** Samples the usage of containers periodically. Rates are between two samples; those of the first are since the start of the run. */
import type { StatsRequest } from "@podfleet/api/requests/containers";
import { pause } from "@podfleet/base/pause";
import { getContainer, listContainers } from "@podfleet/db/containers";
import type { ContainerStats, ContainerUsage } from "@podfleet/model/container/usage";
import { hasCode } from "@podfleet/model/errors";
import type { ContainerId, HostId } from "@podfleet/model/ids";

import { cutShort, type Fleet } from "./fleet.ts";

interface Target {
  readonly id: ContainerId;
  readonly name: string;
  readonly host: { readonly id: HostId; readonly name: string };
}

const timeoutMs = 2_000;

/**
 * Yields a sample of all containers every `intervalMs`. A container that has ended, or whose host does not answer, is left out; the first
 * sample has every container that was named, or fails.
 * @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, STATE_INVALID, HOST_UNREACHABLE; CANCELLED; UNAVAILABLE when this
 *   process is about to end
 */
export async function* watchStats(
  fleet: Fleet,
  { containers, intervalMs, once }: StatsRequest,
  caller: AbortSignal,
): AsyncGenerator<ContainerStats[], void> {
  const signal = AbortSignal.any([caller, fleet.draining]);
  const named = containers && (await Promise.all(containers.map((one) => find(fleet, one))));
  const last = new Map<ContainerId, ContainerUsage>();
  for (let isFirst = true; ; isFirst = false) {
    const targets = named ?? (await listContainers(fleet.database, { all: false }));
    const mustAnswer = isFirst && named !== undefined;
    const sample = await Promise.all(
      targets.map(async (target) => await measure(fleet, target, { mustAnswer, last, signal })),
    );
    yield sample.filter((stats) => stats !== undefined);
    if (once) return;
    await pause(intervalMs, signal);
    if (signal.aborted) throw cutShort(fleet, signal.reason);
  }
}

async function find(fleet: Fleet, reference: string): Promise<Target> {
  return await getContainer(fleet.database, reference);
}

async function measure(
  fleet: Fleet,
  { id, name, host }: Target,
  options: {
    readonly mustAnswer: boolean;
    readonly last: Map<ContainerId, ContainerUsage>;
    readonly signal: AbortSignal;
  },
): Promise<ContainerStats | undefined> {
  const { mustAnswer, last, signal } = options;
  try {
    const call = { payload: { containerId: id }, timeoutMs, signal };
    const { usage } = await fleet.hosts.request(host.id, "stats", call);
    const before = last.get(id);
    last.set(id, usage);
    const cpuPercentAverage = percent({ cpuNanos: 0, at: usage.startedAt ?? usage.at }, usage);
    const hasRestarted = before && before.startedAt !== usage.startedAt;
    const cpuPercent = before && !hasRestarted ? percent(before, usage) : cpuPercentAverage;
    return { id, name, host: host.name, usage, cpuPercent, cpuPercentAverage };
  } catch (error) {
    const isGone = hasCode(
      error,
      ...(["STATE_INVALID", "CONTAINER_NOT_FOUND", "HOST_UNREACHABLE"] as const),
    );
    if (mustAnswer || !isGone) throw error;
    last.delete(id);
    return undefined;
  }
}

type CpuTime = Pick<ContainerUsage, "cpuNanos" | "at">;

function percent(before: CpuTime, now: CpuTime): number {
  const elapsedNanos = (Date.parse(now.at) - Date.parse(before.at)) * 1e6;
  return elapsedNanos > 0 ? ((now.cpuNanos - before.cpuNanos) / elapsedNanos) * 100 : 0;
}
