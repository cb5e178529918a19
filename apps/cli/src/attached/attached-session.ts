/** A session that its caller comes back to. */
import type { Session } from "@podfleet/model/session";

import type { Shell } from "../shell.ts";
import { Attachment } from "./attachment.ts";
import { exitCodeOf } from "./command-exit.ts";
import { forwardSignals } from "./forward-signals.ts";

/**
 * Stays until the command has ended, or the user leaves again.
 * @returns the command's exit code; 0 when the user has left
 */
export async function attachToSession(
  shell: Shell,
  { id, containerId: container, spec }: Session,
  options: { readonly detachKeys: string; readonly proxySignals: boolean },
): Promise<number> {
  const request = { container, session: id, spec, resume: true };
  await using attachment = await Attachment.open(shell, request);
  const follow = { ...options, input: spec.input !== "none", repaint: true };
  const isRun = spec.execId === undefined;
  const takesSignals = isRun && options.proxySignals && !attachment.takesKeys(follow);
  using signals = takesSignals ? forwardSignals(shell, container) : undefined;
  signals?.begin();
  const exit = await attachment.follow(follow);
  return exit ? exitCodeOf(isRun ? "the container" : "the command", exit) : 0;
}
