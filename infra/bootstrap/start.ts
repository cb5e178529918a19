/** `npm start`: starts or repairs a fleet on this machine, and runs a first container on it. */
import { buildApps, type App, type BuiltApp } from "../../scripts/build.ts";
import { ensureAgents, planHosts } from "./agents.ts";
import { connectClient, ensureControlPlane } from "./control-plane.ts";
import { SetUpFailure } from "./failure.mjs";
import { bridgeAddress, ensureNetwork } from "./host-network.ts";
import { checkKernel } from "./kernel.ts";
import { ensureImage, runMainJob, showFleet } from "./main-job.ts";
import { ensureNats } from "./nats.ts";
import { ensurePostgres } from "./postgres.ts";
import { withSetUpLock } from "./set-up-lock.ts";
import { readSettings } from "./settings.ts";
import { step } from "./steps.mjs";

export async function start(args: readonly string[]): Promise<void> {
  if (args.length > 0)
    throw new SetUpFailure(`"npm start" takes no arguments, got "${args.join(" ")}"`);
  await withSetUpLock(bringUp);
}

async function bringUp(): Promise<void> {
  const settings = readSettings();
  const { programs } = await step("programs", build);
  const { hosts } = await step("hosts", planAndConnectHosts);
  const { databaseUrl } = await step("Postgres", async () => await ensurePostgres(settings));
  const host = hosts[0]?.network ? bridgeAddress : "127.0.0.1";
  const nats = await step("NATS", async () => await ensureNats(settings, host));
  const controlPlane = { settings, program: programs["control-plane"], databaseUrl, nats };
  await step("control plane", async () => await ensureControlPlane(controlPlane));
  const { client } = await step("API token", async () => await connectClient(controlPlane));
  const agents = { settings, program: programs.agent, nats, hosts, client };
  await step("agents", async () => await ensureAgents(agents));
  const hostNames = hosts.map(({ name }) => name);
  await step("image", async () => await ensureImage(client, hostNames));
  const isFirstRun = await runMainJob(client, hosts);
  await showFleet(client, isFirstRun);
}

async function build(): Promise<{ line: string; programs: Record<App, BuiltApp> }> {
  const built = await buildApps();
  const changed = built.filter((app) => app.changed).map(({ app }) => app);
  return {
    line: changed.length > 0 ? `built ${changed.join(", ")}` : "up to date",
    programs: Object.fromEntries(built.map((app) => [app.app, app])) as Record<App, BuiltApp>,
  };
}

async function planAndConnectHosts(): Promise<{
  line: string;
  hosts: ReturnType<typeof planHosts>;
}> {
  const { separateNetworks, cgroupMode } = await checkKernel();
  const hosts = planHosts(separateNetworks);
  await ensureNetwork(hosts.flatMap(({ network }) => network ?? []));
  const names = hosts.map(({ name, network }) => (network ? `${name} ${network.address}` : name));
  const note = separateNetworks
    ? ""
    : ": one host only, because the kernel does not allow network namespaces with a bridge";
  return { line: `${names.join(", ")}, cgroups ${cgroupMode}${note}`, hosts };
}
