import { PodfleetError } from "@podfleet/model/errors";
import type { HostInfo } from "@podfleet/model/host";
import { findTool, runCommand } from "@podfleet/oci/process/run-command";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";

export type CheckpointSupport = NonNullable<HostInfo["checkpoint"]>;

const timeoutMs = 10_000;

/** Finds out whether the runtime can use CRIU and whether CRIU supports the kernel. */
export async function readCheckpointSupport(
  runtime: Pick<OciRuntime, "canUseCriu" | "name">,
): Promise<CheckpointSupport> {
  try {
    if (!(await runtime.canUseCriu())) return unsupported(`${runtime.name} was built without CRIU`);
    const criu = findTool("criu");
    const [version] = await Promise.all([readVersion(criu), check(criu)]);
    return { supported: true, version };
  } catch (error) {
    if (!(error instanceof PodfleetError)) throw error;
    return unsupported(error.message);
  }
}

/** @throws PodfleetError UNSUPPORTED with the reason */
export function assertCheckpointsSupported(
  support: CheckpointSupport,
): asserts support is CheckpointSupport & { supported: true } {
  if (support.supported) return;
  throw new PodfleetError(
    "UNSUPPORTED",
    `Cannot checkpoint or restore containers on this host: ${support.reason}`,
    { details: { reason: support.reason } },
  );
}

async function readVersion(criu: string): Promise<string> {
  const options = { timeoutMs, spanName: "criu version" };
  const { stdout } = await runCommand(criu, ["--version"], options);
  return /Version: (\S+)/.exec(stdout)?.[1] ?? "unknown";
}

/** Checks CRIU and the kernel, and that CRIU can lock a network by nftables (oci/bundle/criu-config). */
async function check(criu: string): Promise<void> {
  const options = { timeoutMs, spanName: "criu check" };
  const feature = ["check", "--feature", "network_lock_nftables"];
  await Promise.all([["check"], feature].map((args) => runCommand(criu, args, options)));
}

function unsupported(reason: string): CheckpointSupport {
  return { supported: false, reason };
}
