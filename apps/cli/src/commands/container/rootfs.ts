/** Commands on a container's root filesystem: `mount`, `unmount`, `export` and `diff`. */
import type { Client } from "@podfleet/client/client";
import type { ContainerSummary } from "@podfleet/model/container/record";
import type { FileChange } from "@podfleet/model/file";

import type { Command } from "../../command.ts";
import { reportFailure } from "../../failure.ts";
import { flagError, parseChoice } from "../../flags/values.ts";
import { saveBytes, writeBytes } from "../../output/byte-output.ts";
import { oneLine, printJson } from "../../output/output.ts";
import { type Columns, printList } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { chosenTargets, mutateEach } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";

interface MountFlags {
  readonly all: boolean;
  readonly trunc: boolean;
  readonly format?: string;
}

export function mountCommand(shell: Shell): Command {
  return verb(shell, {
    name: "mount",
    description:
      "Mount containers' root filesystems on their hosts and print the mount points; without names, list the mounted ones",
    examples: ["mount", "mount web", "mount --all"],
  })
    .option("-a, --all", "mount every container", false)
    .option("--no-trunc", "do not shorten ids")
    .option("--format <format>", "format of the list: json, or a list of columns")
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: MountFlags) => {
        if (names.length === 0 && !flags.all) return await listMounts(shell, client, flags);
        const all = flags.all ? await client.api.containers.list.query({ all: true }) : [];
        return await mountEach(shell, flags.all ? all.map(({ id }) => id) : names);
      }),
    );
}

async function mountEach(shell: Shell, targets: readonly string[]): Promise<number> {
  let exitCode = 0;
  for (const container of targets) {
    try {
      const mounted = await shell.mutate(
        async ({ api }, operationId) =>
          await api.containers.mount.mutate({ operationId, container }),
      );
      const { id, mount } = mounted.container;
      const path = mount?.path ?? "";
      await shell.stdout.print(targets.length === 1 ? path : `${id} ${path}`);
    } catch (error) {
      exitCode = await reportFailure(shell, error);
    }
  }
  return exitCode;
}

async function listMounts(shell: Shell, client: Client, flags: MountFlags): Promise<void> {
  const columns: Columns<ContainerSummary> = {
    id: { heading: "CONTAINER ID", value: ({ id }) => (flags.trunc ? id.slice(0, 12) : id) },
    name: { heading: "NAME", value: ({ name }) => name },
    host: { heading: "HOST", value: ({ host }) => host.name },
    path: { heading: "PATH", value: ({ mount }) => mount?.path ?? "" },
    count: { heading: "COUNT", value: ({ mount }) => String(mount?.count ?? 0) },
  };
  const json = ({ id, name, host, mount }: ContainerSummary) => ({
    ...{ Id: id, Names: [name], Host: host.name },
    ...{ MountPoint: mount?.path, Count: mount?.count },
  });
  await printList(shell.stdout, await mountedContainers(client), {
    ...{ columns, json, shown: ["id", "host", "path"] },
    options: { ...flags, noheading: true },
  });
}

async function mountedContainers(client: Client): Promise<ContainerSummary[]> {
  const containers = await client.api.containers.list.query({ all: true });
  return containers.filter(({ mount }) => mount !== undefined);
}

interface UnmountFlags {
  readonly all: boolean;
  readonly force: boolean;
}

export function unmountCommand(shell: Shell): Command {
  return verb(shell, {
    name: "unmount",
    description: "Undo one mount of containers' root filesystems",
    examples: ["unmount web", "umount --force job", "unmount --all"],
  })
    .alias("umount")
    .option("-a, --all", "unmount every mounted container", false)
    .option("-f, --force", "undo all mounts of a container at once", false)
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], { all, force }: UnmountFlags) => {
        if (all && names.length > 0) throw flagError("--all", "true", "must be used without names");
        const targets = all
          ? (await mountedContainers(client)).map(({ id }) => id)
          : await chosenTargets(client, names, undefined);
        return await mutateEach(shell, targets, {
          mutate: async (api, input) => await api.containers.unmount.mutate({ ...input, force }),
        });
      }),
    );
}

export function exportCommand(shell: Shell): Command {
  return verb(shell, {
    name: "export",
    description: "Write a container's root filesystem as a tar archive",
    examples: ["export --output web.tar web", "export web | tar --list"],
  })
    .option("-o, --output <file>", "write to a file instead of standard output")
    .argument("<container>", "name, id or id prefix")
    .action(
      connected(shell, async (client, container: string, flags: { readonly output?: string }) => {
        const archive = client.files(container).export();
        if (flags.output !== undefined) return await saveBytes(archive, flags.output);
        const advice = { what: "an archive", instead: "use --output" };
        await writeBytes(archive, shell.stdout, advice);
      }),
    );
}

export function diffCommand(shell: Shell): Command {
  return verb(shell, {
    name: "diff",
    description:
      "Show the files that a container has added (A), changed (C) and deleted (D) in its root filesystem",
    examples: ["diff web", "diff --format json web"],
  })
    .option("--format <format>", "json")
    .argument("<container>", "name, id or id prefix")
    .action(
      connected(shell, async (client, container: string, flags: { readonly format?: string }) => {
        if (flags.format !== undefined) parseChoice("--format", flags.format, ["json"]);
        const changes = await client.api.containers.diff.query({ container });
        if (flags.format === "json") return await printJson(shell.stdout, byKind(changes));
        for (const { kind, path } of changes) await shell.stdout.print(`${kind} ${oneLine(path)}`);
      }),
    );
}

/** podman's JSON format; a kind without changes is omitted. */
function byKind(changes: readonly FileChange[]): Record<string, string[]> {
  const names = { C: "changed", A: "added", D: "deleted" } as const;
  const groups: Record<string, string[]> = {};
  for (const { kind, path } of changes) (groups[names[kind]] ??= []).push(path);
  return groups;
}
