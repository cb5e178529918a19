/**
 * Runs a job on every ready host, waits for all of them, and prints the host, exit code and output of each.
 *
 *     node packages/client/examples/spread-over-hosts.ts busybox sh -c 'echo "hello from $HOSTNAME"; exit $((RANDOM % 2))'
 *
 * Calls the control plane of `podfleet context show`. Each change carries an operation id, so that nothing runs twice when the control
 * plane is restarted meanwhile. The exit code is the number of failed jobs.
 */
import { homedir } from "node:os";

import { createClient } from "@podfleet/client/client";
import type { Client } from "@podfleet/client/client";
import { contextPath, findContext } from "@podfleet/client/context";
import { retrying } from "@podfleet/client/retrying";

interface Job {
  readonly host: string;
  readonly exitCode: number | undefined;
  readonly output: string;
}

const [image, ...command] = process.argv.slice(2);
const context = await findContext(contextPath({ home: homedir() }));
if (image === undefined || context === undefined) {
  process.stderr.write("Usage: spread-over-hosts.ts IMAGE [COMMAND...], with a podfleet context\n");
  process.exit(2);
}
const client = createClient(context);
const hosts = await client.api.hosts.list.query();
const ready = hosts.filter(({ state }) => state === "ready");
const jobs = await Promise.all(
  ready.map(async ({ name }) => runOn(client, name, [image, ...command])),
);
for (const { host, exitCode, output } of jobs) {
  process.stdout.write(
    `${host}: exit code ${exitCode ?? "unknown"}\n${output.replace(/^/gm, "  ")}\n`,
  );
}
process.exitCode = jobs.filter(({ exitCode }) => exitCode !== 0).length;

/** Creates the job's container on the host, runs it and removes it. */
async function runOn(
  client: Client,
  host: string,
  [imageName = "", ...words]: readonly string[],
): Promise<Job> {
  const { containers } = client.api;
  const spec = { image: imageName, command: words, placement: { host }, labels: { job: "spread" } };
  const created = await retrying(async (operationId) =>
    containers.create.mutate({ operationId, spec }),
  );
  const container = created.container.id;
  await retrying(async (operationId) => containers.start.mutate({ operationId, container }));
  const { exitCode } = await client.wait({ container });
  const lines: Uint8Array[] = [];
  for await (const { bytes, endsLine } of client.followLogs({ container, follow: true })) {
    lines.push(bytes, Buffer.from(endsLine ? "\n" : ""));
  }
  await retrying(async (operationId) => containers.remove.mutate({ operationId, container }));
  return { host, exitCode, output: Buffer.concat(lines).toString().trimEnd() };
}
