/**
 * NATS identity of the fleet on disk: keys of the operator and the accounts, the server's configuration, and a credentials file for the
 * control plane and for each host. All files are readable by their owner only.
 *
 *     npx node infra/nats-identity.ts FOLDER LISTEN [HOST...]
 *
 * creates missing files in FOLDER for a nats-server that is started by other means: `nats-server --config FOLDER/nats-server.conf`.
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { mintAgentCredentials, mintControlPlaneCredentials } from "@podfleet/bus/credentials";
import { createIdentity, type NatsIdentity, natsIdentitySchema } from "@podfleet/bus/identity";
import { renderNatsServerConfig } from "@podfleet/bus/server-config";
import { newHostId } from "@podfleet/model/ids";
import { hostNameSchema } from "@podfleet/model/name";

export const serverConfigName = "nats-server.conf";

export async function findIdentity(folder: string): Promise<NatsIdentity | undefined> {
  const text = await findText(identityPath(folder));
  return text === undefined ? undefined : natsIdentitySchema.parse(JSON.parse(text));
}

export async function ensureIdentity(folder: string): Promise<NatsIdentity> {
  const present = await findIdentity(folder);
  if (present) return present;
  const identity = await createIdentity();
  await writeSecret(folder, identityPath(folder), `${JSON.stringify(identity, null, 2)}\n`);
  return identity;
}

/** @returns the path of the credentials that all replicas of the control plane share */
export async function ensureControlPlaneCredentials(
  folder: string,
  identity: NatsIdentity,
): Promise<string> {
  const path = join(folder, "control-plane.creds");
  return await ensureSecret(folder, path, async () => await mintControlPlaneCredentials(identity));
}

/** @returns the path of the host's credentials, which contain a host id that never changes */
export async function ensureAgentCredentials(
  folder: string,
  identity: NatsIdentity,
  hostName: string,
): Promise<string> {
  const path = join(folder, `${hostName}.creds`);
  return await ensureSecret(
    folder,
    path,
    async () => await mintAgentCredentials(identity, newHostId()),
  );
}

/** Renders the configuration of a server on `host:port` that trusts `identity`. */
export function serverConfig(
  folder: string,
  identity: NatsIdentity,
  address: { readonly host: string; readonly port: number },
): string {
  return renderNatsServerConfig({ identity, ...address, jwtDirectory: join(folder, "jwt") });
}

function identityPath(folder: string): string {
  return join(folder, "identity.json");
}

async function ensureSecret(
  folder: string,
  path: string,
  make: () => Promise<string>,
): Promise<string> {
  if ((await findText(path)) === undefined) await writeSecret(folder, path, await make());
  return path;
}

async function findText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Writes a file atomically, so that an interrupted run leaves no partial key. */
async function writeSecret(folder: string, path: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

async function main([folder, listen, ...hosts]: readonly string[]): Promise<void> {
  const [, host, port] = /^(.+):(\d+)$/.exec(listen ?? "") ?? [];
  if (folder === undefined || host === undefined) {
    console.error("Usage: npx node infra/nats-identity.ts FOLDER ADDRESS:PORT [HOST...]");
    process.exitCode = 1;
    return;
  }
  const identity = await ensureIdentity(folder);
  const config = serverConfig(folder, identity, { host, port: Number(port) });
  await writeSecret(folder, join(folder, serverConfigName), config);
  await ensureControlPlaneCredentials(folder, identity);
  for (const name of hosts) {
    await ensureAgentCredentials(folder, identity, hostNameSchema.parse(name));
  }
}

if (import.meta.main) await main(process.argv.slice(2));
