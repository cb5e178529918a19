import type { Command } from "../../command.ts";
import { flagError } from "../../flags/values.ts";
import { saveBytes } from "../../output/byte-output.ts";
import type { Shell } from "../../shell.ts";
import { exitCodeOf, forEachTarget } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";

interface CheckpointFlags {
  readonly keep: boolean;
  readonly leaveRunning: boolean;
  readonly tcpEstablished: boolean;
  readonly fileLocks: boolean;
  readonly ignoreRootfs: boolean;
  readonly export?: string;
}

export function checkpointCommand(shell: Shell): Command {
  return verb(shell, {
    name: "checkpoint",
    description:
      "Checkpoint containers: save their processes to disk and end them; restore continues them",
    examples: [
      "checkpoint web",
      "checkpoint --leave-running --tcp-established web",
      "checkpoint --export web.tar web",
    ],
  })
    .option("-k, --keep", "keep CRIU's log and statistics", false)
    .option("-R, --leave-running", "leave the container running", false)
    .option("--tcp-established", "include established TCP connections", false)
    .option("--file-locks", "include file locks", false)
    .option(
      "-e, --export <file>",
      "save the checkpoint as an archive that can be restored on any host",
    )
    .option("--ignore-rootfs", "exclude the root filesystem's changes from the archive", false)
    .argument("<container...>", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: CheckpointFlags) => {
        const { export: file, ...options } = flags;
        if (file === undefined && flags.ignoreRootfs) {
          throw flagError("--ignore-rootfs", "true", "must be used with --export");
        }
        if (file !== undefined && names.length > 1) {
          throw flagError("--export", file, "must be used with one container");
        }
        const failures = await forEachTarget(shell, names, async (container) => {
          const input = { container, ...pick(options), archive: file !== undefined };
          await shell.mutate(
            async ({ api }, operationId) =>
              await api.containers.checkpoint.mutate({ operationId, ...input }),
          );
          if (file !== undefined)
            await saveBytes(client.downloadCheckpoint(container), file, 0o600);
        });
        return exitCodeOf(failures);
      }),
    );
}

function pick({ keep, leaveRunning, tcpEstablished, fileLocks, ignoreRootfs }: CheckpointFlags) {
  return { keep, leaveRunning, tcpEstablished, fileLocks, ignoreRootfs };
}
