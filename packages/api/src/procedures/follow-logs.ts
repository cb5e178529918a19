import type { LogChunk } from "@podfleet/model/log";
import { tracked, type TrackedEnvelope } from "@trpc/server";

import type { LogsRequest } from "../services/containers.ts";
import type { Services } from "../services/services.ts";
import { never } from "./trpc.ts";

/** Yields the chunks of a journal as events, each with the offset after it as its id. */
export async function* followLogs(
  { containers }: Pick<Services, "containers">,
  input: Omit<LogsRequest, "offset"> & { readonly lastEventId?: string | undefined },
  signal: AbortSignal = never,
): AsyncGenerator<TrackedEnvelope<LogChunk>, void> {
  const { lastEventId, ...rest } = input;
  const offset = lastEventId === undefined ? undefined : Number(lastEventId);
  for await (const chunk of containers.logs({ ...rest, offset }, signal)) {
    yield tracked(String(chunk.next), chunk);
  }
}
