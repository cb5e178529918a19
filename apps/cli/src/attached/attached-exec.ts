/** A command in a container that the caller is attached to: its input and output, what it writes to the caller's own descriptors, and its exit code. */
import type { ExecRun } from "@podfleet/client/exec";
import type { SessionSpec } from "@podfleet/model/session";

import type { Shell } from "../shell.ts";
import { Attachment } from "./attachment.ts";
import { exitCodeOf } from "./command-exit.ts";
import type { DescriptorOutput } from "./descriptor-output.ts";

export interface AttachedExec {
  readonly run: ExecRun;
  /** Passes standard input on. */
  readonly input: boolean;
  readonly detachKeys: string;
  readonly onDisconnect: SessionSpec["onDisconnect"];
  readonly descriptors: readonly DescriptorOutput[];
}

/** The command runs on while its host's agent restarts. */
const patience = { whenHostSilent: "retry" } as const;

/**
 * Stays until the command has ended and everything was written, or the user leaves.
 * @returns the command's exit code; 0 when the user has left
 */
export async function attachToExec(shell: Shell, attached: AttachedExec): Promise<number> {
  const { run, input, onDisconnect, descriptors } = attached;
  const spec = { execId: run.id, from: "start", input: input ? "shared" : "none" } as const;
  const request = { container: run.container, spec: { ...spec, onDisconnect } };
  await using attachment = await Attachment.open(shell, request);
  const forwarded = Promise.all(descriptors.map(async (output) => await forward(run, output)));
  const exit = await attachment.follow(attached);
  if (!exit) return 0;
  await forwarded;
  return exitCodeOf("the command", exit);
}

async function forward(run: ExecRun, output: DescriptorOutput): Promise<void> {
  for await (const bytes of run.written(output.descriptor, patience)) await output.write(bytes);
}
