import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

import type { Client } from "@podfleet/client/client";

import type { Command } from "../../command.ts";
import { flagError } from "../../flags/flag-error.ts";
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
    description: "Checkpoint containers: save their processes and end them, to be restored later",
    examples: [
      "checkpoint web",
      "checkpoint --leave-running --tcp-established web",
      "checkpoint --export web.tar web",
    ],
  })
    .option("-k, --keep", "keep CRIU's log and statistics", false)
    .option("-R, --leave-running", "let the container run on", false)
    .option("--tcp-established", "take established TCP connections along", false)
    .option("--file-locks", "take file locks along", false)
    .option("-e, --export <file>", "write the checkpoint to an archive that any host can restore")
    .option("--ignore-rootfs", "leave the root filesystem's changes out of the archive", false)
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
          if (file !== undefined) await save(client, container, file);
        });
        return exitCodeOf(failures);
      }),
    );
}

function pick({ keep, leaveRunning, tcpEstablished, fileLocks, ignoreRootfs }: CheckpointFlags) {
  return { keep, leaveRunning, tcpEstablished, fileLocks, ignoreRootfs };
}

/** The file is there when it is whole. */
async function save(client: Client, container: string, file: string): Promise<void> {
  const fresh = `${file}.part`;
  try {
    await pipeline(client.downloadCheckpoint(container), createWriteStream(fresh, { mode: 0o600 }));
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
