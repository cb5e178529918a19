/** `podfleet update` and `rename`. */
import { PodfleetError } from "@podfleet/model/errors";
import { type ResourceChanges, resourceChangesSchema } from "@podfleet/model/resources";

import type { Command } from "../../command.ts";
import { parseRestartPolicy } from "../../flags/container-values.ts";
import { parseResources, type ResourceFlags } from "../../flags/resources.ts";
import { flagError } from "../../flags/values.ts";
import type { Shell } from "../../shell.ts";
import { traced, verb } from "../../verb.ts";

interface UpdateFlags extends ResourceFlags {
  readonly restart?: string;
}

export function updateCommand(shell: Shell): Command {
  return verb(shell, {
    name: "update",
    description: "Change a container's resource limits, even while it runs, and its restart policy",
    examples: [
      "update --cpus 2 --memory 512m web",
      "update --memory 0 web",
      "update --restart on-failure:3 job",
    ],
  })
    .option("--cpus <number>", "CPU limit, such as 1.5; 0 for no limit")
    .option("-m, --memory <size>", "memory limit (b, k, m, g); 0 for no limit")
    .option("--pids-limit <number>", "limit of processes and threads; 0 or -1 for the default")
    .option("--cpu-shares <number>", "relative CPU weight, 2 to 262144; 0 for the default")
    .option("--restart <policy>", "no, on-failure[:retries], always or unless-stopped")
    .argument("<container>", "name, id or id prefix")
    .action(
      traced(shell, async (container: string, flags: UpdateFlags) => {
        const changes = changesOf(flags);
        await shell.mutate(
          async ({ api }, operationId) =>
            await api.containers.update.mutate({ operationId, container, ...changes }),
        );
        await shell.stdout.print(container);
      }),
    );
}

function changesOf(flags: UpdateFlags) {
  const parsed = Object.entries(parseResources(flags));
  const resources = Object.fromEntries(parsed.map(([key, value]) => [key, value || null]));
  if (parsed.length === 0 && flags.restart === undefined) {
    throw new PodfleetError(
      "INVALID_INPUT",
      "Cannot tell what to update: use --cpus, --memory, --pids-limit, --cpu-shares or --restart",
    );
  }
  return {
    ...(parsed.length > 0 ? { resources: allowed(resources, flags) } : {}),
    ...(flags.restart === undefined ? {} : { restartPolicy: parseRestartPolicy(flags.restart) }),
  };
}

const flagOf = {
  cpus: ["--cpus", "cpus"],
  memoryBytes: ["--memory", "memory"],
  pidsLimit: ["--pids-limit", "pidsLimit"],
  cpuShares: ["--cpu-shares", "cpuShares"],
} as const satisfies Record<keyof ResourceChanges, readonly [string, keyof ResourceFlags]>;

/** Checks the ranges of the model; the error names the flag. */
function allowed(resources: Record<string, number | null>, flags: ResourceFlags): ResourceChanges {
  const { data, error } = resourceChangesSchema.safeParse(resources);
  if (data) return data;
  const issue = error.issues[0];
  const [flag, key] = flagOf[issue?.path[0] as keyof ResourceChanges];
  throw flagError(flag, flags[key] ?? "", issue?.message ?? "");
}

export function renameCommand(shell: Shell): Command {
  return verb(shell, {
    name: "rename",
    description: "Rename a container; the new name must be unused in the fleet",
    examples: ["rename web www"],
  })
    .argument("<container>", "name, id or id prefix")
    .argument("<name>", "new name")
    .action(
      traced(shell, async (container: string, name: string) => {
        await shell.mutate(
          async ({ api }, operationId) =>
            await api.containers.rename.mutate({ operationId, container, name }),
        );
      }),
    );
}
