import type { ContainerSummary } from "@podfleet/model/container/record";
import { hasCode, PodfleetError } from "@podfleet/model/errors";

import { runAttached } from "../../attached/attached-run.ts";
import type { Command } from "../../command.ts";
import { reportFailure } from "../../failure.ts";
import { addContainerFlags } from "../../flags/container-flags.ts";
import type { ContainerFlags } from "../../flags/container-flags.ts";
import type { Shell } from "../../shell.ts";
import { traced, verb } from "../../verb.ts";
import { createFromFlags } from "./create-from-flags.ts";

interface RunFlags extends ContainerFlags {
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
      "run --rm --host host-2 busybox sh -c 'echo out; echo err >&2; exit 7'",
      "run -d --name web --cpus 0.5 --memory 64m busybox httpd -f",
      "run -d --strategy binpack --constraint host.labels.disk==ssd busybox sleep 60",
    ],
  });
  return addContainerFlags(command)
    .option("-d, --detach", "do not wait for its end; print the container's id", false)
    .option("--no-sig-proxy", "do not forward signals to the command")
    .helpOption("--help", "show this help")
    .argument("<image>", "name or id of an image that the host has loaded")
    .argument("[command...]", "command and its arguments; the image's when absent")
    .passThroughOptions()
    .action(
      traced(shell, async (image: string, words: string[], flags: RunFlags) => {
        if (flags.detach) return await runDetached(shell, { image, words, flags });
        assertNotInteractive(flags);
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

/** With `--rm` the container is removed here and not by its host, which could do so before the last output was read. */
async function runInForeground(shell: Shell, { image, words, flags }: RunRequest): Promise<number> {
  const request = { image, command: words, flags, autoRemove: false };
  const container = await createFromFlags(shell, request);
  try {
    return await runAttached(shell, {
      container: container.id,
      offset: 0,
      restarts: (flags.restart ?? "no") !== "no",
      proxySignals: flags.sigProxy,
    });
  } finally {
    if (flags.rm) await removeEnded(shell, container);
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

export function assertNotInteractive(flags: {
  readonly interactive?: boolean;
  readonly tty?: boolean;
}): void {
  const flag = flags.interactive ? "--interactive" : flags.tty ? "--tty" : undefined;
  if (flag === undefined) return;
  throw new PodfleetError(
    "UNSUPPORTED",
    `Cannot use ${flag} attached: this version has no interactive sessions; leave ${flag} out, or add --detach`,
  );
}
