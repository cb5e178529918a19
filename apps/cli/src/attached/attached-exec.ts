/** A command in a container that the caller watches: both output streams, what it writes to the caller's own descriptors, and its exit code. */
import type { ExecRun } from "@podfleet/client/exec";
import { PodfleetError } from "@podfleet/model/errors";
import type { ExecSession } from "@podfleet/model/exec";

import type { Shell } from "../shell.ts";
import type { DescriptorOutput } from "./descriptor-output.ts";
import { LogWriter } from "./log-writer.ts";

/** The command runs on while its host's agent restarts. */
const patience = { whenHostSilent: "retry" } as const;

/**
 * Stays until the session has ended and everything was written.
 * @returns the command's exit code
 * @throws PodfleetError TIMEOUT when its time was up; RUNTIME_FAILED when its exit code is unknown
 */
export async function attachExec(
  shell: Shell,
  run: ExecRun,
  descriptors: readonly DescriptorOutput[],
): Promise<number> {
  const [session] = await Promise.all([
    run.wait(patience),
    stream(shell, run),
    ...descriptors.map((output) => forward(run, output)),
  ]);
  if (session.exitCode !== undefined) return session.exitCode;
  throw endOf(session);
}

async function stream(shell: Shell, run: ExecRun): Promise<void> {
  const writer = new LogWriter(shell);
  for await (const records of run.output(patience)) await writer.write(records);
}

async function forward(run: ExecRun, output: DescriptorOutput): Promise<void> {
  for await (const bytes of run.written(output.descriptor, patience)) await output.write(bytes);
}

function endOf({ id, spec, timedOut }: ExecSession): PodfleetError {
  if (timedOut) {
    return new PodfleetError(
      "TIMEOUT",
      `Cannot finish the command: it ran for ${spec.timeoutSeconds} s, which is as long as it may`,
    );
  }
  return new PodfleetError(
    "RUNTIME_FAILED",
    `Cannot tell how exec session "${id}" ended: its monitor died, so its exit code is unknown`,
  );
}
