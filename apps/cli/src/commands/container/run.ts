import type { ContainerSummary } from "@podfleet/model/container/record";
import { hasCode } from "@podfleet/model/errors";

import { attachToRun } from "../../attached/attached-run.ts";
import type { Command } from "../../command.ts";
import { getDetachKeys } from "../../config.ts";
import { reportFailure } from "../../failure.ts";
import { addContainerFlags } from "../../flags/container-flags.ts";
import type { ContainerFlags } from "../../flags/container-flags.ts";
import { addSessionFlags, parseOnDisconnect } from "../../flags/session-flags.ts";
import type { SessionFlags } from "../../flags/session-flags.ts";
import type { Shell } from "../../shell.ts";
import { warnUnlessTerminal } from "../../terminal/warning.ts";
import { traced, verb } from "../../verb.ts";
import { createFromFlags } from "./create-from-flags.ts";

interface RunFlags extends ContainerFlags, SessionFlags {
  readonly detach: boolean;
  readonly sigProxy: boolean;
}

export function runCommand(shell: Shell): Command {
  const command = verb(shell, {
    name: "run",
    description:
      "Create a container on a host of the fleet and start it. Shows its output and ends with its exit code; " +
      "125 is podfleet's own error, 126 a command that cannot be invoked, 127 one that is not found",
    examples: [
      "run busybox echo hello",
      "run -it --rm busybox sh",
      "run --rm --host host-2 busybox sh -c 'echo out; echo err >&2; exit 7'",
      "run -d --name web --cpus 0.5 --memory 64m busybox httpd -f",
      "run -d --strategy binpack --constraint host.labels.disk==ssd busybox sleep 60",
    ],
  });
  return addSessionFlags(addContainerFlags(command))
    .option("-d, --detach", "do not wait for its end; print the container's id", false)
    .option("--no-sig-proxy", "do not forward signals to the command")
    .helpOption("--help", "show this help")
    .argument("<image>", "name or id of an image that the host has loaded")
    .argument("[command...]", "command and its arguments; the image's when absent")
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

/** With `--rm` the host removes the container when its run ends; a client that is gone by then need not come back for it. */
async function runInForeground(shell: Shell, { image, words, flags }: RunRequest): Promise<number> {
  const detachKeys = await getDetachKeys(shell.config, flags.detachKeys);
  const onDisconnect = parseOnDisconnect(flags.onDisconnect ?? "keep");
  await warnUnlessTerminal(shell, flags);
  const container = await createFromFlags(shell, { image, command: words, flags });
  try {
    return await attachToRun(shell, {
      container: container.id,
      starts: true,
      tty: flags.tty,
      input: flags.interactive,
      detachKeys,
      onDisconnect,
      proxySignals: flags.sigProxy,
      restarts: (flags.restart ?? "no") !== "no",
    });
  } catch (error) {
    if (flags.rm) await removeEnded(shell, container);
    throw error;
  }
}

/** A container that still runs, because only its watcher failed, is left alone. */
async function removeEnded(shell: Shell, { id }: ContainerSummary): Promise<void> {
  try {
    await shell.mutate(
      async ({ api }, operationId) =>
        await api.containers.remove.mutate({ operationId, container: id }),
    );
  } catch (error) {
    // Safe to ignore: someone else has removed it, or it runs.
    if (!hasCode(error, "CONTAINER_NOT_FOUND", "STATE_INVALID")) await reportFailure(shell, error);
  }
}
