/**
 * CRIU's configuration file for a container. runc passes the file that the container's annotation `org.criu.config` names on to CRIU;
 * without the annotation, the host's /etc/criu/runc.conf.
 *
 * The file is about the network. runc has CRIU leave out the content of a network namespace, and nothing would set up its loopback
 * again. So a checkpoint declares the namespace external, and a restore brings a new one along with its loopback up. While a checkpoint
 * is made, no packet may reach the namespace: CRIU locks it.
 */
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { RuntimeSpec } from "../spec/runtime-spec.ts";

/** Name of the file in the bundle. */
const configFile = "criu.conf";
/** The name that runc gives a network namespace that it knows as external. */
const externalNetwork = "extRootNetNS";

/**
 * Adds to `spec` what a container needs to be checkpointed.
 * @param network path of a network namespace to use instead of a new one
 */
export function withCriuConfig(
  spec: RuntimeSpec,
  { bundle, network }: { readonly bundle: string; readonly network: string | undefined },
): RuntimeSpec {
  const namespaces = spec.linux.namespaces.map((namespace) =>
    namespace.type === "network" && network !== undefined
      ? { ...namespace, path: network }
      : namespace,
  );
  return {
    ...spec,
    annotations: { ...spec.annotations, "org.criu.config": join(bundle, configFile) },
    linux: { ...spec.linux, namespaces },
  };
}

/** CRIU's default needs the iptables programs on the host; nftables comes with its library. */
const networkLock = "network-lock nftables";

/** Writes the configuration for a restore, and for a checkpoint in a network namespace that the runtime knows as external. */
export async function writeCriuConfig(bundle: string): Promise<void> {
  await writeFile(join(bundle, configFile), `${networkLock}\n`);
}

/** Writes the configuration for a checkpoint of process `pid`, whose network namespace the runtime has made. */
export async function writeOwnNetworkConfig(bundle: string, pid: number): Promise<void> {
  const { ino } = await stat(`/proc/${pid}/ns/net`);
  const external = `external net[${ino}]:${externalNetwork}`;
  await writeFile(join(bundle, configFile), `${networkLock}\n${external}\n`);
}
