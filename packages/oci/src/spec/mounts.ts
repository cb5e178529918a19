/** Mounts inside a container: the kernel's file systems, its own /etc files, and those that the user asked for. */
import { normalize } from "node:path/posix";

import { assertNever } from "@podfleet/base/invariant";
import type { Mount } from "@podfleet/model/container/mount";
import type { ContainerSpec } from "@podfleet/model/container/spec";

import type { RuntimeMount, RuntimeSpec } from "./runtime-spec.ts";

/** Files of the host that become the container's /etc/hosts, /etc/hostname and /etc/resolv.conf. */
export interface EtcFiles {
  readonly hosts: string;
  readonly hostname: string;
  readonly resolvConf: string;
}

/** Path of the init program in a container that has one. */
export const initDestination = "/run/podfleet-init";

/** Lists the mounts, outer ones first. A mount of the user replaces the default one at its destination. */
export function containerMounts(
  spec: ContainerSpec,
  etcFiles: EtcFiles,
  init?: string,
): RuntimeMount[] {
  const own = spec.mounts.map((mount) => userMount(mount));
  const taken = new Set(own.map((mount) => mount.destination));
  const basic = [
    ...kernelMounts(spec),
    ...etcMounts(etcFiles),
    ...(spec.readOnlyRoot ? scratchMounts : []),
    ...(init === undefined ? [] : [initMount(init)]),
  ];
  const mounts = [...basic.filter((mount) => !taken.has(mount.destination)), ...own];
  return mounts.toSorted((a, b) => depth(a) - depth(b));
}

/** Finds the root's mount propagation, which has to be as wide as that of the widest mount below it. */
export function rootfsPropagation(
  mounts: readonly Mount[],
): Pick<RuntimeSpec["linux"], "rootfsPropagation"> {
  const propagations = mounts.flatMap((mount) => (mount.type === "bind" ? mount.propagation : []));
  if (propagations.some((name) => name.endsWith("shared"))) return { rootfsPropagation: "shared" };
  if (propagations.some((name) => name.endsWith("slave"))) return { rootfsPropagation: "rslave" };
  return {};
}

function depth(mount: RuntimeMount): number {
  return mount.destination.split("/").filter(Boolean).length;
}

function userMount(mount: Mount): RuntimeMount {
  const access = mount.readOnly ? "ro" : "rw";
  const destination = normalize(mount.destination);
  switch (mount.type) {
    case "bind": {
      const kind = mount.recursive ? "rbind" : "bind";
      const options = [kind, access, mount.propagation];
      return { destination, type: "bind", source: mount.source, options };
    }
    case "tmpfs": {
      const size = mount.sizeBytes === undefined ? [] : [`size=${mount.sizeBytes}`];
      const options = ["nosuid", "nodev", access, `mode=${mount.mode}`, ...size];
      return { destination, type: "tmpfs", source: "tmpfs", options };
    }
    default:
      return assertNever(mount);
  }
}

/** The default file systems of the OCI runtime specification. */
function kernelMounts(spec: ContainerSpec): RuntimeMount[] {
  const access = spec.privileged ? "rw" : "ro";
  const hidden = ["nosuid", "noexec", "nodev"];
  const terminals = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"];
  return [
    { destination: "/proc", type: "proc", source: "proc", options: hidden },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    { destination: "/dev/pts", type: "devpts", source: "devpts", options: terminals },
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: [...hidden, "mode=1777", `size=${spec.shmSizeBytes}`],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: hidden },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...hidden, access] },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: [...hidden, "relatime", access],
    },
  ];
}

function etcMounts(files: EtcFiles): RuntimeMount[] {
  const sources = {
    "/etc/hosts": files.hosts,
    "/etc/hostname": files.hostname,
    "/etc/resolv.conf": files.resolvConf,
  };
  return Object.entries(sources).map(([destination, source]) => ({
    destination,
    type: "bind",
    source,
    options: ["bind", "rw", "rprivate"],
  }));
}

function initMount(source: string): RuntimeMount {
  const options = ["bind", "ro", "nosuid", "nodev", "rprivate"];
  return { destination: initDestination, type: "bind", source, options };
}

/** Directories that programs expect to be writable: podman mounts them too when the root is read-only. */
const scratchMounts: readonly RuntimeMount[] = ["/run", "/tmp", "/var/tmp"].map((destination) => ({
  destination,
  type: "tmpfs",
  source: "tmpfs",
  options: ["nosuid", "nodev", "rw", "tmpcopyup"],
}));
