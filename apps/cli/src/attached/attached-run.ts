/** A run that the caller is attached to: input and output from byte 0, signals forwarded, and the exit code after the last byte. */
import { hasCode } from "@podfleet/model/errors";
import type { SessionSpec } from "@podfleet/model/session";

import { gapWarning } from "../output/gap.ts";
import type { Shell } from "../shell.ts";
import { windowSize } from "../terminal/window.ts";
import { Attachment } from "./attachment.ts";
import { exitCodeOf } from "./command-exit.ts";
import { forwardSignals } from "./forward-signals.ts";
import { LogWriter } from "./log-writer.ts";

export interface AttachedRun {
  /** Id of the container. */
  readonly container: string;
  /** It is started once everything is ready for its first byte; otherwise it runs already. */
  readonly starts: boolean;
  readonly tty: boolean;
  /** Passes standard input on. */
  readonly input: boolean;
  readonly detachKeys: string;
  readonly onDisconnect: SessionSpec["onDisconnect"];
  readonly proxySignals: boolean;
  /** The run may be followed by others, whose output and exit code count too. Input goes to the first only. */
  readonly restarts: boolean;
}

/** The container runs on while its agent restarts. */
const patience = { whenHostSilent: "retry" } as const;

/**
 * Stays until the run has ended, or the user leaves.
 * @returns the container's exit code; 0 when the user has left
 * @throws PodfleetError what the start failed with
 */
export async function attachToRun(shell: Shell, attached: AttachedRun): Promise<number> {
  const { container, starts, input, onDisconnect } = attached;
  const terminalSize = attached.tty ? windowSize() : undefined;
  const spec = { run: starts ? "next" : "present", input: input ? "shared" : "none" } as const;
  const size = terminalSize ? { terminalSize } : {};
  const request = { container, spec: { ...spec, ...size, onDisconnect } };
  await using attachment = await Attachment.open(shell, request);
  const takesSignals = attached.proxySignals && !attachment.takesKeys(attached);
  using signals = takesSignals ? forwardSignals(shell, container) : undefined;
  if (starts) {
    await shell.mutate(
      async ({ api }, operationId) => await api.containers.start.mutate({ operationId, container }),
    );
  }
  signals?.begin();
  const exit = await attachment.follow({ ...attached, repaint: !starts });
  if (!exit) return 0;
  const { session } = attachment;
  const last = attached.restarts ? await followLaterRuns(shell, session) : exit;
  return exitCodeOf(`container "${session.container.name}"`, last);
}

/** Shows the output of the runs after that of the session, and returns how the last one ended. */
async function followLaterRuns(
  shell: Shell,
  { container, offset }: Attachment["session"],
): Promise<{ exitCode?: number | undefined }> {
  const client = await shell.client();
  const writer = new LogWriter(shell);
  const onGap = gapWarning(shell.stderr, container.name);
  const request = { container: container.id, offset, follow: true, onGap };
  try {
    for await (const records of client.followLogChunks(request, patience))
      await writer.write(records);
  } catch (error) {
    // Safe to ignore: someone removed the container by force, and the wait has its exit code.
    if (!hasCode(error, "CONTAINER_NOT_FOUND")) throw error;
  }
  return await client.wait({ container: container.id }, patience);
}
