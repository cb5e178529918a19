import { pause } from "@podfleet/base/pause";
import type { FastifyInstance } from "fastify";

/** The time that calls under way have to finish once the replica drains. */
const graceMs = 2_000;
/** The time that aborted calls have to send their error. */
const replyMs = 500;

/** Closes the server. Connections that are busy when the grace period is over are ended, a moment after `onGraceOver`. */
export async function closeServer(
  server: FastifyInstance,
  onGraceOver?: () => void,
): Promise<void> {
  const closing = server.close();
  const isIdle = await endsWithin(closing, graceMs);
  onGraceOver?.();
  if (!isIdle && !(await endsWithin(closing, replyMs))) server.server.closeAllConnections();
  await closing;
}

export async function endsWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController();
  const expiry = pause(timeoutMs, timer.signal).then(() => false);
  const isDone = await Promise.race([work.then(() => true), expiry]);
  timer.abort();
  return isDone;
}
