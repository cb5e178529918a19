import { join } from "node:path";

import type { NatsIdentity } from "@podfleet/bus/identity";

import { ensureIdentity, findIdentity, serverConfig, serverConfigName } from "../nats-identity.ts";
import { startNatsServer } from "../nats-server.ts";
import { endProcess } from "./daemon.ts";
import { SetUpFailure } from "./failure.mjs";
import { natsFolder } from "./paths.ts";
import { refuseTakenPort } from "./port.ts";
import { findProcess, processVersion, recordProcess } from "./process-table.ts";
import type { Settings } from "./settings.ts";

/** Not 4222, NATS's default, where Debian's service listens. */
const port = 7422;
const processName = "nats-server";

export interface Nats {
  readonly url: string;
  readonly identity: NatsIdentity;
  readonly line: string;
}

/** Uses the server of NATS_URL, or starts a server on `host`. */
export async function ensureNats(settings: Settings, host: string): Promise<Nats> {
  if (settings.natsUrl !== undefined) {
    const { natsUrl: url } = settings;
    return { url, identity: await readIdentity(), line: `${url} (NATS_URL)` };
  }
  const identity = await ensureIdentity(natsFolder);
  const config = serverConfig(natsFolder, identity, { host, port });
  const url = `nats://${host}:${port}`;
  const version = processVersion(config);
  const present = findProcess(processName);
  if (present?.version === version) return { url, identity, line: `running on ${host}:${port}` };
  if (present) await endProcess(present);
  await refuseTakenPort("NATS server", `${host}:${port}`, "or set NATS_URL to your own server");
  const directory = natsFolder;
  const server = await startNatsServer({ directory, host, port, config, mode: "detached" });
  recordProcess(processName, server.pid, version);
  return { url, identity, line: `started on ${host}:${port}` };
}

/** Stops the server that `ensureNats` started. @returns whether it was running */
export async function stopNats(): Promise<boolean> {
  const running = findProcess(processName);
  if (running) await endProcess(running);
  return running !== undefined;
}

async function readIdentity(): Promise<NatsIdentity> {
  const identity = await findIdentity(natsFolder);
  if (identity) return identity;
  throw new SetUpFailure(
    `NATS_URL is set but ${natsFolder} holds no identity: make one with "npx node infra/nats-identity.ts ${natsFolder} ADDRESS:PORT" and run your server with ${join(natsFolder, serverConfigName)}`,
  );
}
