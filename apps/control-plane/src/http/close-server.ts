import { pause } from "@podfleet/base/pause";
import type { FastifyInstance } from "fastify";

/** How long calls under way may go on once the replica drains. */
const graceMs = 2_000;
/** How long calls that were cut short have to say so. */
const replyMs = 500;

/** Ends connections that are still busy when the grace is over, a moment after `onGraceOver`. */
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
