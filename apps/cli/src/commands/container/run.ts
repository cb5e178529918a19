import type { ContainerSummary } from "@podfleet/model/container/record";
import { hasCode } from "@podfleet/model/errors";

import { attachToRun } from "../../attach/attach.ts";
import type { Command } from "../../command.ts";
import { reportFailure } from "../../failure.ts";
import { addContainerFlags } from "../../flags/container-flags.ts";
import type { ContainerFlags } from "../../flags/container-flags.ts";
import { addSessionFlags, addSignalFlag, readSessionFlags } from "../../flags/session-flags.ts";
import type { SessionFlags, SignalFlags } from "../../flags/session-flags.ts";
import type { Shell } from "../../shell.ts";
import { warnUnlessTerminal } from "../../terminal/notices.ts";
import { traced, verb } from "../../verb.ts";
import { createFromFlags } from "./create.ts";

interface RunFlags extends ContainerFlags, SessionFlags, SignalFlags {
  readonly detach: boolean;
}

export function runCommand(shell: Shell): Command {
  const command = verb(shell, {
    name: "run",
    description:
      "Create a container on a host of the fleet, start it, show its output and end with its exit code; " +
      "125 means an error of podfleet itself, 126 a command that cannot be invoked, 127 a command that is not found",
    examples: [
      "run busybox echo hello",
      "run -it --rm busybox sh",
      "run --rm --host host-2 busybox sh -c 'echo out; echo err >&2; exit 7'",
      "run -d --name web --cpus 0.5 --memory 64m busybox httpd -f",
      "run -d --strategy binpack --constraint host.labels.disk==ssd busybox sleep 60",
    ],
  });
  return addSignalFlag(addSessionFlags(addContainerFlags(command)))
    .option("-d, --detach", "run in the background and print the container's id", false)
    .helpOption("--help", "show this help")
    .argument("<image>", "name or id of an image on the host")
    .argument("[command...]", "command and its arguments; default: the image's")
    .passThroughOptions()
    .action(
      traced(shell, async (image: string, words: string[], flags: RunFlags) => {
        if (flags.detach) return await runDetached(shell, { image, words, flags });
        return await runInForeground(shell, { image, words, flags });
      }),
    );
}

interface RunRequest {
  readonly image: string;
  readonly words: readonly string[];
  readonly flags: RunFlags;
}

async function runDetached(shell: Shell, { image, words, flags }: RunRequest): Promise<void> {
  const container = await createFromFlags(shell, { image, command: words, flags });
  try {
    await shell.mutate(
      async ({ api }, operationId) =>
        await api.containers.start.mutate({ operationId, container: container.id }),
    );
  } catch (error) {
    if (flags.rm) await removeEnded(shell, container);
    throw error;
  }
  await shell.stdout.print(container.id);
}

/** With `--rm` the host removes the container after its run, even when the client is gone by then. */
async function runInForeground(shell: Shell, { image, words, flags }: RunRequest): Promise<number> {
  const session = await readSessionFlags(shell.config, flags);
  await warnUnlessTerminal(shell.stderr, flags);
  const container = await createFromFlags(shell, { image, command: words, flags });
  try {
    return await attachToRun(shell, {
      ...session,
      container: container.id,
      starts: true,
      tty: flags.tty,
      input: flags.interactive,
      proxySignals: flags.sigProxy,
      restarts: (flags.restart ?? "no") !== "no",
    });
  } catch (error) {
    if (flags.rm) await removeEnded(shell, container);
    throw error;
  }
}

/** Removes the container unless it runs, which it does when only the connection failed. */
async function removeEnded(shell: Shell, { id }: ContainerSummary): Promise<void> {
  try {
    await shell.mutate(
      async ({ api }, operationId) =>
        await api.containers.remove.mutate({ operationId, container: id }),
    );
  } catch (error) {
    // Safe to ignore: it was removed by someone else, or it runs.
    if (!hasCode(error, "CONTAINER_NOT_FOUND", "STATE_INVALID")) await reportFailure(shell, error);
  }
}
