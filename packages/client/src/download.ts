import { PodfleetError, wireErrorSchema } from "@podfleet/model/errors";
import { z } from "zod";

import type { Connection } from "./connection.ts";

export interface Download {
  /** Path below the control plane's URL: `/containers/web/checkpoint`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

const answerSchema = z.object({ error: wireErrorSchema });

/**
 * Downloads bytes from a host at the pace of the reader. A stream that breaks off rejects the read, so one that ends is complete.
 * @throws PodfleetError UNAVAILABLE, or the control plane's error
 */
export async function* download(
  connection: Connection,
  { path, query = {}, signal }: Download,
): AsyncGenerator<Uint8Array, void> {
  const url = new URL(`${connection.url}${path}`);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const response = await connection.fetch(url, signal ? { signal } : {});
  if (!response.ok || !response.body) throw await refusal(connection, response);
  try {
    for await (const bytes of response.body) yield bytes;
  } catch (error) {
    throw connection.failure(error, signal);
  }
}

async function refusal(connection: Connection, response: Response): Promise<PodfleetError> {
  if (!response.headers.get("content-type")?.startsWith("application/json")) {
    return await connection.unexpected(response);
  }
  return PodfleetError.fromWire(answerSchema.parse(await response.json()).error);
}
