import type { LogChunk } from "@podfleet/model/log";
import { type LogRecord, readLogRecords } from "@podfleet/protocol/log/log-records";
import { Outage } from "@podfleet/protocol/session/outage";

import type { DockerCaller } from "../http/call.ts";

export interface LogsWish {
  readonly container: string;
  readonly follow?: boolean;
  readonly tail?: number;
  readonly since?: string;
  /** Leaves out output written at or after this time; with `follow`, ends at this time. */
  readonly until?: string;
}

/**
 * Yields a container's output in batches of records that were read together.
 * @throws PodfleetError HOST_UNREACHABLE when the host does not answer; CANCELLED when the signal is aborted
 */
export async function* readLogs(
  caller: DockerCaller,
  { until, ...request }: LogsWish,
  signal: AbortSignal,
): AsyncGenerator<LogRecord[], void> {
  const { follow } = request;
  yield* readLogRecords((whole) => readChunks(caller, request, whole), { until, follow, signal });
}

/** Resumes at its offset after an outage of the host. */
async function* readChunks(
  caller: DockerCaller,
  request: Omit<LogsWish, "until">,
  signal: AbortSignal,
): AsyncGenerator<LogChunk, void> {
  const api = caller.apiUntil(signal);
  const outage = new Outage({ signal }, () => false);
  let position: { readonly lastEventId?: string } = {};
  for (;;) {
    try {
      const events = await api.containers.logs({ ...request, ...position });
      for await (const { id, data } of events) {
        outage.end();
        position = { lastEventId: id };
        yield data;
      }
      return;
    } catch (error) {
      await outage.survive(error);
    }
  }
}
