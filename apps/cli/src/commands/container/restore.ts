import type { Command } from "../../command.ts";
import { flagError, openInputFile } from "../../flags/values.ts";
import type { Shell } from "../../shell.ts";
import { chosenTargets, mutateEach } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";

interface RestoreFlags {
  readonly keep: boolean;
  readonly tcpEstablished: boolean;
  readonly fileLocks: boolean;
  readonly ignoreRootfs: boolean;
  readonly ignoreStaticIp: boolean;
  readonly ignoreStaticMac: boolean;
  readonly import?: string;
  readonly name?: string;
  readonly host?: string;
}

export function restoreCommand(shell: Shell): Command {
  return verb(shell, {
    name: "restore",
    description: "Restore containers from their checkpoints",
    examples: ["restore web", "restore --import web.tar --name web-2 --host host-3"],
  })
    .option("-k, --keep", "keep the checkpoint, and CRIU's log and statistics", false)
    .option("--tcp-established", "restore established TCP connections", false)
    .option("--file-locks", "restore file locks", false)
    .option("-i, --import <file>", "create a container from an exported checkpoint")
    .option("-n, --name <name>", "name of the new container (with --import)")
    .option("--host <name>", "host of the new container (with --import)")
    .option("--ignore-rootfs", "start from the image's root filesystem (with --import)", false)
    .option("--ignore-static-ip", "ignore a static IP address", false)
    .option("--ignore-static-mac", "ignore a static MAC address", false)
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: RestoreFlags) => {
        const { import: file, name, host, ignoreRootfs } = flags;
        const { keep, tcpEstablished, fileLocks, ignoreStaticIp, ignoreStaticMac } = flags;
        const options = { keep, tcpEstablished, fileLocks, ignoreStaticIp, ignoreStaticMac };
        if (file === undefined) {
          refuseWithoutImport(flags);
          const targets = await chosenTargets(client, names, undefined);
          return await mutateEach(shell, targets, {
            mutate: async (api, input) =>
              await api.containers.restore.mutate({ ...input, ...options }),
          });
        }
        if (names.length > 0) {
          throw flagError("--import", file, "must be used without a container");
        }
        const archive = await openInputFile("--import", file);
        const { container } = await client.restoreArchive(archive, {
          ...options,
          ignoreRootfs,
          ...(name === undefined ? {} : { name }),
          ...(host === undefined ? {} : { host }),
        });
        await shell.stdout.print(container.id);
        return 0;
      }),
    );
}

function refuseWithoutImport({ name, host, ignoreRootfs }: RestoreFlags): void {
  const flags = { "--name": name, "--host": host, "--ignore-rootfs": ignoreRootfs || undefined };
  for (const [flag, value] of Object.entries(flags)) {
    if (value !== undefined) throw flagError(flag, String(value), "must be used with --import");
  }
}
