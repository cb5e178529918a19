/** Checks of the kernel by trial. */
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

import { SetUpFailure } from "./failure.mjs";
import { dataRoot } from "./paths.ts";

export interface KernelFeatures {
  /** Network namespaces with a bridge are allowed, so that this machine can have several hosts. */
  readonly separateNetworks: boolean;
  readonly cgroupMode: "v1" | "hybrid" | "v2";
}

const cgroupMount = "/sys/fs/cgroup";

/** @throws SetUpFailure when containers cannot run on this machine */
export async function checkKernel(): Promise<KernelFeatures> {
  await checkOverlay();
  return { separateNetworks: await canSeparateNetworks(), cgroupMode: checkCgroups() };
}

async function checkOverlay(): Promise<void> {
  await mkdir(dataRoot, { recursive: true, mode: 0o755 });
  const folder = await mkdtemp(join(dataRoot, "overlay-check-"));
  const [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map((name) => {
    const path = join(folder, name);
    mkdirSync(path);
    return path;
  });
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  const mount = ["-t", "overlay", "overlay", "-o", options, String(merged)];
  try {
    const result = await execa("mount", mount, { reject: false, timeout: 10_000 });
    if (result.exitCode !== 0) {
      throw new SetUpFailure(
        `The kernel refuses an overlay mount below ${dataRoot} (${result.stderr.trim()}): load the overlay module, allow mounts (CAP_SYS_ADMIN), and keep the folder on ext4 or xfs`,
      );
    }
    await execa("umount", [String(merged)], { timeout: 10_000 });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Tries a bridge and a veth pair in a temporary namespace. */
async function canSeparateNetworks(): Promise<boolean> {
  const script = "ip link add pf0 type bridge && ip link add pf1 type veth peer name pf2";
  const args = ["--net", "sh", "-c", script];
  const attempt = await execa("unshare", args, { reject: false, timeout: 10_000 });
  return attempt.exitCode === 0;
}

function checkCgroups(): KernelFeatures["cgroupMode"] {
  const isV2 = existsSync(join(cgroupMount, "cgroup.controllers"));
  const memory = isV2 ? cgroupMount : join(cgroupMount, "memory");
  if (!existsSync(join(memory, "cgroup.procs"))) {
    throw new SetUpFailure(
      `No cgroups are mounted at ${cgroupMount}: mount them with "mount -t cgroup2 none ${cgroupMount}", then run the command again`,
    );
  }
  const probe = join(memory, `podfleet-check-${process.pid}`);
  try {
    mkdirSync(probe);
    rmdirSync(probe);
  } catch (error) {
    throw new SetUpFailure(
      `Cgroups cannot be made in ${memory} (${error instanceof Error ? error.message : String(error)}): run on the machine itself or in a container with writable cgroups`,
    );
  }
  if (isV2) return "v2";
  return existsSync(join(cgroupMount, "unified")) ? "hybrid" : "v1";
}
