/** Attaches this process to a run of a container, to an exec session, or to a session opened earlier. */
import type { ExecRun } from "@podfleet/client/exec";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { Session } from "@podfleet/model/session";

import type { SessionOptions } from "../flags/session-flags.ts";
import { gapWarning, LogWriter } from "../output/log-writer.ts";
import type { Shell } from "../shell.ts";
import { windowSize } from "../terminal/screen.ts";
import { Attachment } from "./attachment.ts";
import type { DescriptorOutput } from "./descriptor-output.ts";
import { forwardSignals } from "./signals.ts";

interface CommandEnd {
  readonly exitCode?: number | undefined;
  readonly timedOut?: boolean | undefined;
}

/** A command keeps running while its host's agent restarts. */
const patience = { whenHostSilent: "retry" } as const;

export interface AttachedRun extends SessionOptions {
  /** Id of the container. */
  readonly container: string;
  /** Start the container once attached; otherwise it runs already. */
  readonly starts: boolean;
  readonly tty: boolean;
  /** Forward standard input. */
  readonly input: boolean;
  readonly proxySignals: boolean;
  /** Follow later runs by the restart policy too. Input goes to the first run only. */
  readonly restarts: boolean;
}

/**
 * Returns when the run has ended or the user has detached.
 * @returns the container's exit code; 0 after a detach
 * @throws PodfleetError of a failed start
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

/** Shows the output of the runs after the session's. @returns how the last one ended */
async function followLaterRuns(
  shell: Shell,
  { container, offset }: Attachment["session"],
): Promise<CommandEnd> {
  const client = await shell.client();
  const writer = new LogWriter(shell);
  const onGap = gapWarning(shell.stderr, container.name);
  const request = { container: container.id, offset, follow: true, onGap };
  try {
    for await (const records of client.followLogChunks(request, patience)) {
      await writer.write(records);
    }
  } catch (error) {
    // Safe to ignore: the container was removed by force, and the wait below returns its exit code.
    if (!hasCode(error, "CONTAINER_NOT_FOUND")) throw error;
  }
  return await client.wait({ container: container.id }, patience);
}

export interface AttachedExec extends SessionOptions {
  readonly run: ExecRun;
  /** Forward standard input. */
  readonly input: boolean;
  readonly descriptors: readonly DescriptorOutput[];
}

/**
 * Returns when the command has ended and all its output is written, or the user has detached.
 * @returns the command's exit code; 0 after a detach
 */
export async function attachToExec(shell: Shell, attached: AttachedExec): Promise<number> {
  const { run, input, onDisconnect, descriptors } = attached;
  const spec = { execId: run.id, from: "start", input: input ? "shared" : "none" } as const;
  const request = { container: run.container, spec: { ...spec, onDisconnect } };
  await using attachment = await Attachment.open(shell, request);
  const copied = Promise.all(descriptors.map(async (output) => await copyDescriptor(run, output)));
  const exit = await attachment.follow(attached);
  if (!exit) return 0;
  await copied;
  return exitCodeOf("the command", exit);
}

async function copyDescriptor(run: ExecRun, output: DescriptorOutput): Promise<void> {
  for await (const bytes of run.written(output.descriptor, patience)) await output.write(bytes);
}

/**
 * Resumes a session. Returns when the command has ended or the user has detached again.
 * @returns the command's exit code; 0 after a detach
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

/**
 * @param what names the command in errors: `container "web"`
 * @throws PodfleetError TIMEOUT after the command's time limit; RUNTIME_FAILED when its exit code is unknown
 */
function exitCodeOf(what: string, { exitCode, timedOut }: CommandEnd): number {
  if (exitCode !== undefined) return exitCode;
  if (timedOut) {
    throw new PodfleetError("TIMEOUT", `Cannot finish ${what}: it reached its time limit`);
  }
  throw new PodfleetError(
    "RUNTIME_FAILED",
    `Cannot tell how ${what} ended: its monitor died, so its exit code is unknown`,
  );
}
