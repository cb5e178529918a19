import { type ContainerStats, containerStatsSchema } from "@podfleet/model/container/usage";
import type { OutageOptions } from "@podfleet/protocol/session/outage";

import type { ApiInputs } from "./api.ts";
import type { Connection } from "./connection.ts";
import { subscribe } from "./subscription.ts";

export type StatsRequest = Omit<Extract<ApiInputs["containers"]["stats"], object>, "lastEventId">;

/** Yields samples of all containers' resource usage until the signal is aborted; one sample with `once`. */
export async function* watchStats(
  connection: Connection,
  request: StatsRequest,
  outage?: OutageOptions,
): AsyncGenerator<ContainerStats[], void> {
  const call = { path: "containers.stats", input: request };
  for await (const { data } of subscribe(connection, call, outage)) {
    yield containerStatsSchema.array().parse(data);
  }
}
