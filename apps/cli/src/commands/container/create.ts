/** `podfleet create`, and the creation that `run` shares. */
import { open, rm } from "node:fs/promises";

import type { Client } from "@podfleet/client/client";
import type { ContainerSummary } from "@podfleet/model/container/record";
import type { ContainerSpecInput } from "@podfleet/model/container/spec";
import { hasCode } from "@podfleet/model/errors";

import type { Command } from "../../command.ts";
import { addContainerFlags } from "../../flags/container-flags.ts";
import type { ContainerFlags } from "../../flags/container-flags.ts";
import { readEntries } from "../../flags/environment.ts";
import { specFromFlags } from "../../flags/spec.ts";
import { flagError } from "../../flags/values.ts";
import type { Shell } from "../../shell.ts";
import { traced, verb } from "../../verb.ts";

export function createCommand(shell: Shell): Command {
  const command = verb(shell, {
    name: "create",
    description: "Create a container on a host of the fleet without starting it; print its id",
    examples: [
      "create --name web --memory 64m busybox httpd -f",
      "create --host host-2 --restart always busybox sleep 1d",
      "create --constraint host.labels.disk==ssd busybox",
    ],
  });
  return addContainerFlags(command)
    .helpOption("--help", "show this help")
    .argument("<image>", "name or id of an image on the host")
    .argument("[command...]", "command and its arguments; default: the image's")
    .passThroughOptions()
    .action(
      traced(shell, async (image: string, words: string[], flags: ContainerFlags) => {
        const container = await createFromFlags(shell, { image, command: words, flags });
        await shell.stdout.print(container.id);
      }),
    );
}

export interface CreateRequest {
  readonly image: string;
  readonly command: readonly string[];
  readonly flags: ContainerFlags;
}

/** @returns the container, in state `configured` */
export async function createFromFlags(
  shell: Shell,
  request: CreateRequest,
): Promise<ContainerSummary> {
  const client = await shell.client();
  const { image, command, flags } = request;
  const replaced = flags.replace ? nameToReplace(flags) : undefined;
  const spec = {
    ...specFromFlags({
      image,
      command,
      flags,
      fileEnv: await readEntries("--env-file", flags.envFile),
      fileLabels: await readEntries("--label-file", flags.labelFile),
      environment: shell.config.environment,
    }),
    dependencies: await resolveIds(client, flags.requires),
  } satisfies ContainerSpecInput;
  const create = async (): Promise<ContainerSummary> => {
    if (replaced !== undefined) await removeNamed(shell, client, replaced);
    const result = await shell.mutate(
      async ({ api }, operationId) => await api.containers.create.mutate({ operationId, spec }),
    );
    return result.container;
  };
  return flags.cidfile === undefined ? await create() : await withIdFile(flags.cidfile, create);
}

function nameToReplace({ name }: ContainerFlags): string {
  if (name !== undefined) return name;
  throw flagError("--replace", "true", "must be used with --name");
}

/** Removes the container with exactly this name, not one whose id begins with it. */
async function removeNamed(shell: Shell, { api }: Client, name: string): Promise<void> {
  try {
    const found = await api.containers.inspect.query({ container: name });
    if (found.name !== name) return;
    await shell.mutate(async (client, operationId) => {
      const container = found.id;
      await client.api.containers.remove.mutate({ operationId, container, force: true });
    });
  } catch (error) {
    if (!hasCode(error, "CONTAINER_NOT_FOUND", "AMBIGUOUS_ID")) throw error;
  }
}

/** Creates the file first, so that an existing file is refused before a container is created. */
async function withIdFile(
  path: string,
  create: () => Promise<ContainerSummary>,
): Promise<ContainerSummary> {
  await using file = await openNew(path);
  try {
    const container = await create();
    await file.writeFile(container.id);
    return container;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

async function openNew(path: string) {
  try {
    return await open(path, "wx", 0o644);
  } catch (error) {
    throw flagError("--cidfile", path, `must be a new file that can be written (${String(error)})`);
  }
}

/** Resolves the names of `--requires`, which may be separated by commas, to ids. */
async function resolveIds(
  { api }: Client,
  references: readonly string[],
): Promise<ContainerSummary["id"][]> {
  const names = references.flatMap((reference) => reference.split(","));
  const found = names.map(async (container) => await api.containers.inspect.query({ container }));
  return (await Promise.all(found)).map(({ id }) => id);
}
