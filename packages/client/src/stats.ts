import { containerUsageSchema } from "@podfleet/model/container/usage";
import { containerIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

import type { ApiInputs } from "./api.ts";
import type { Connection } from "./connection.ts";
import type { OutageOptions } from "./outage.ts";
import { subscribe } from "./subscription.ts";

export type StatsRequest = Omit<Extract<ApiInputs["containers"]["stats"], object>, "lastEventId">;

const statsSchema = z.object({
  id: containerIdSchema,
  name: z.string(),
  /** Name of its host. */
  host: z.string(),
  usage: containerUsageSchema,
  /** 100 is one CPU; since the last sample, at first since the start of the run. */
  cpuPercent: z.number(),
  cpuPercentAverage: z.number(),
});
export type Stats = z.infer<typeof statsSchema>;

/** Yields what containers use, all of them each time, until the signal is aborted; once with `once`. */
export async function* watchStats(
  connection: Connection,
  request: StatsRequest,
  outage?: OutageOptions,
): AsyncGenerator<Stats[], void> {
  const call = { path: "containers.stats", input: request };
  for await (const { data } of subscribe(connection, call, outage)) {
    yield statsSchema.array().parse(data);
  }
}
