/** The control plane's process, and the API token of the user who runs set-up. */
import { copyFile } from "node:fs/promises";
import { join } from "node:path";

import { type Client, createClient } from "@podfleet/client/client";
import { findContext, writeContext } from "@podfleet/client/context";
import { hasCode } from "@podfleet/model/errors";
import { execa } from "execa";

import type { BuiltApp } from "../../scripts/build.ts";
import { ensureControlPlaneCredentials } from "../nats-identity.ts";
import { ensureDaemon, waitUntilReady } from "./daemon.ts";
import { SetUpFailure } from "./failure.mjs";
import type { Nats } from "./nats.ts";
import { cliContextPath, dockerSocketPath, natsFolder } from "./paths.ts";
import { refuseTakenPort } from "./port.ts";
import { findProcess } from "./process-table.ts";
import type { Settings } from "./settings.ts";
import { nodePath, root } from "./workspace.mjs";

export const controlPlaneName = "control-plane";
const program = join(root, "apps/control-plane/dist/main.mjs");

export interface ControlPlaneOptions {
  readonly settings: Settings;
  readonly program: BuiltApp;
  readonly databaseUrl: string;
  readonly nats: Nats;
}

/**
 * A small young generation makes quick collections free the buffers of relayed frames. With the default size they pile up to V8's limit
 * for external memory, and the full collections that follow take most of the CPU time.
 */
const nodeOptions = ["--enable-source-maps", "--max-semi-space-size=2"];

/** Starts or restarts the control plane. @returns the line of the step */
export async function ensureControlPlane(options: ControlPlaneOptions): Promise<string> {
  const { listen, url } = options.settings;
  if (!findProcess(controlPlaneName)) {
    await refuseTakenPort("control plane", listen, "or set PODFLEET_LISTEN to another address");
  }
  const outcome = await ensureDaemon({
    name: controlPlaneName,
    command: [nodePath, ...nodeOptions, program, "serve"],
    env: await environmentOf(options),
    basis: [options.program.hash],
  });
  await waitUntilReady(controlPlaneName, async () => await isHealthy(url));
  return `${outcome} on ${url}`;
}

/**
 * Creates a client with this user's token. Makes a token when the context file has no valid one for this control plane.
 */
export async function connectClient(
  options: ControlPlaneOptions,
): Promise<{ client: Client; line: string }> {
  const { url } = options.settings;
  const present = await findContext(cliContextPath);
  if (present?.url === url) {
    const client = createClient(present);
    if (await isAccepted(client)) return { client, line: `valid, in ${cliContextPath}` };
  }
  const kept = present && present.url !== url ? `${cliContextPath}.previous` : undefined;
  if (kept !== undefined) await copyFile(cliContextPath, kept);
  const context = { ...present, url, token: await createToken(options) };
  await writeContext(cliContextPath, context);
  const note = kept === undefined ? "" : ` (the one for ${present?.url} is kept as ${kept})`;
  return { client: createClient(context), line: `written to ${cliContextPath}${note}` };
}

async function createToken(options: ControlPlaneOptions): Promise<string> {
  const name = `${process.env["USER"] ?? "root"}-${Date.now().toString(36)}`;
  const result = await execa(nodePath, [program, "token", "create", name], {
    env: await environmentOf(options),
    extendEnv: false,
    reject: false,
    timeout: 30_000,
  });
  if (result.exitCode === 0) return result.stdout.trim();
  throw new SetUpFailure(
    `Cannot make an API token: ${result.stderr.trim() || result.stdout.trim()}`,
  );
}

async function environmentOf(options: ControlPlaneOptions): Promise<Record<string, string>> {
  const { settings, nats, databaseUrl } = options;
  return {
    ...settings.environment,
    PODFLEET_LISTEN: settings.listen,
    DATABASE_URL: databaseUrl,
    NATS_URL: nats.url,
    PODFLEET_DOCKER_SOCKET: dockerSocketPath,
    PODFLEET_NATS_CREDENTIALS: await ensureControlPlaneCredentials(natsFolder, nats.identity),
  };
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    // Safe to ignore: the caller asks again until its deadline.
    return false;
  }
}

async function isAccepted(client: Client): Promise<boolean> {
  try {
    await client.api.system.info.query();
    return true;
  } catch (error) {
    if (hasCode(error, "UNAUTHENTICATED")) return false;
    throw error;
  }
}
