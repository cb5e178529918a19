/** Helpers that create, start, read and remove a fleet's containers. */
import type { Client } from "@podfleet/client/client";
import { retrying } from "@podfleet/client/retrying";
import type { ContainerSummary } from "@podfleet/model/container/record";
import type { ContainerSpecInput } from "@podfleet/model/container/spec";
import { hasCode } from "@podfleet/model/errors";
import { waitFor } from "@podfleet/testkit/wait-for";

/** A spec whose image is busybox unless it names another. */
export type ContainerWish = Omit<ContainerSpecInput, "image"> & { readonly image?: string };

/** Creates a container and starts it. */
export async function runContainer(client: Client, wish: ContainerWish): Promise<ContainerSummary> {
  const spec = { image: "busybox", ...wish };
  const created = await client.api.containers.create.mutate({ spec });
  const started = await client.api.containers.start.mutate({ container: created.container.id });
  return started.container;
}

/** Creates and starts a container exactly once, however often the control plane goes away meanwhile. */
export async function runContainerOnce(
  client: Client,
  wish: ContainerWish,
): Promise<ContainerSummary> {
  const spec = { image: "busybox", ...wish };
  const create = async () =>
    await retrying(async (operationId) => {
      return await client.api.containers.create.mutate({ operationId, spec });
    });
  const outcome = await waitFor(
    async () => {
      try {
        return { created: await create() };
      } catch (error) {
        // A control plane that was away has heard from no host for a while, and places nothing on it.
        if (hasCode(error, "NO_HOST_FITS")) throw error;
        return { error };
      }
    },
    { what: "a host for the container", timeoutMs: 60_000 },
  );
  if ("error" in outcome) throw outcome.error;
  const container = outcome.created.container.id;
  const started = await retrying(
    async (operationId) => await client.api.containers.start.mutate({ operationId, container }),
    { whenHostSilent: "retry" },
  );
  return started.container;
}

/** The output of a container on each stream so far. */
export async function outputOf(
  client: Client,
  container: string,
): Promise<{ stdout: string; stderr: string }> {
  const chunks = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  for await (const record of client.followLogs({ container })) {
    chunks[record.stream].push(record.bytes);
    if (record.endsLine) chunks[record.stream].push(newline);
  }
  return {
    stdout: Buffer.concat(chunks.stdout).toString(),
    stderr: Buffer.concat(chunks.stderr).toString(),
  };
}

const newline = Buffer.from("\n");

/** Kills and removes every container of the fleet. */
export async function removeContainers(client: Client): Promise<void> {
  const containers = await client.api.containers.list.query({ all: true });
  await Promise.all(
    containers.map(async ({ id }) => {
      await client.api.containers.remove.mutate({ container: id, force: true });
    }),
  );
}
