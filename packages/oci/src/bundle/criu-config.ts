/**
 * What CRIU is told beside what the OCI runtime tells it. runc passes the file that a container's annotation names on to CRIU
 * (`org.criu.config`; without it, /etc/criu/runc.conf of the host).
 *
 * It is about the network. runc has CRIU leave out what is in a network namespace, and nobody would set up its loopback again. So a
 * checkpoint calls the namespace external, and a restore brings a new one along, complete. While a checkpoint is made, no packet may
 * reach the namespace: CRIU locks it.
 */
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { RuntimeSpec } from "../spec/runtime-spec.ts";

/** In the bundle. */
const configFile = "criu.conf";
/** runc's own name for the namespace, when it knows it as an external one. */
const externalNetwork = "extRootNetNS";

/** `spec` for a bundle whose containers may be checkpointed; `network`: the namespace that it is to have instead of a new one. */
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

/** CRIU's own way needs the programs of iptables on the host; this one is in its library. */
const networkLock = "network-lock nftables";

/** For a restore, and for a checkpoint in a network namespace that the runtime knows as an external one. */
export async function writeCriuConfig(bundle: string): Promise<void> {
  await writeFile(join(bundle, configFile), `${networkLock}\n`);
}

/** For a checkpoint of the process `pid` that has a network namespace of its own, made by the runtime. */
export async function writeOwnNetworkConfig(bundle: string, pid: number): Promise<void> {
  const { ino } = await stat(`/proc/${pid}/ns/net`);
  const external = `external net[${ino}]:${externalNetwork}`;
  await writeFile(join(bundle, configFile), `${networkLock}\n${external}\n`);
}
