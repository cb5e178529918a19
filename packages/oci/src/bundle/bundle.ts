/**
 * A container's bundle: the directory that the OCI runtime and the monitor work in for one run. It holds `config.json` and
 * the files that become the container's /etc/hosts, /etc/hostname and /etc/resolv.conf.
 */
import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { normalize, relative } from "node:path/posix";

import { hasErrno } from "@podfleet/base/errno";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import { PodfleetError } from "@podfleet/model/errors";
import type { TerminalSize } from "@podfleet/model/exec";
import type { ContainerId } from "@podfleet/model/ids";
import type { ImageConfig } from "@podfleet/model/image-config";

import { readHostDevices } from "../host/host-devices.ts";
import { findTool } from "../process/run-command.ts";
import { hasOlderPrograms } from "../rootfs/older-programs.ts";
import { findInRootfs, resolveInRootfs } from "../rootfs/rootfs-path.ts";
import { resolveUser } from "../rootfs/user.ts";
import type { HostLimits } from "../spec/host-limits.ts";
import type { EtcFiles } from "../spec/mounts.ts";
import { serializeRuntimeSpec } from "../spec/runtime-spec.ts";
import { buildRuntimeSpec, containerHostname, containerWorkdir } from "../spec/spec.ts";
import { withCriuConfig } from "./criu-config.ts";

/** podman's init program: linked statically, so that it runs in any image. */
export const initProgram = "catatonit";

export interface BundleOptions {
  readonly id: ContainerId;
  readonly spec: ContainerSpec;
  readonly image: ImageConfig;
  /** The mounted root filesystem. */
  readonly rootfs: string;
  /** An existing directory; what an earlier run left in it is overwritten. */
  readonly bundle: string;
  readonly host: HostLimits;
  /** Path below each cgroup hierarchy: `/podfleet/<host>/<id>`. */
  readonly cgroup: string;
  /** Path of an existing network namespace, for the container to use instead of a new one. */
  readonly network?: string | undefined;
  /** The size that the command's terminal starts with. */
  readonly terminalSize?: TerminalSize | undefined;
}

/**
 * Writes the files of the bundle.
 * @throws PodfleetError INVALID_INPUT for an unknown user or group, a workdir or a bind's source that does not exist, or
 * no command; UNSUPPORTED for what the host lacks
 */
export async function writeBundle(options: BundleOptions): Promise<void> {
  const { bundle, network, ...input } = options;
  const { spec, image, rootfs, host } = input;
  const [user, etcFiles, devices, hasOlder] = await Promise.all([
    resolveUser(rootfs, { user: spec.user ?? image.user, groups: spec.groups }),
    writeEtcFiles(options),
    spec.privileged ? readHostDevices() : [],
    hasOlderPrograms(rootfs, host.architecture),
    ensureWorkdir(options),
    ...spec.mounts.map((mount) => (mount.type === "bind" ? assertSource(mount.source) : undefined)),
  ]);
  const seccompTarget = { architecture: host.architecture, compatible: hasOlder };
  const init = spec.init ? findTool(initProgram) : undefined;
  const config = buildRuntimeSpec({ ...input, user, etcFiles, init, devices, seccompTarget });
  const text = serializeRuntimeSpec(withCriuConfig(config, { bundle, network }));
  await writeFile(join(bundle, "config.json"), text, { mode: 0o600 });
}

async function assertSource(source: string): Promise<void> {
  try {
    await stat(source);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENOTDIR")) throw error;
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot bind "${source}": no such file or directory on the host`,
      { details: { field: "mounts", value: source } },
    );
  }
}

/** Creates the image's workdir where it is missing; a workdir that the user names has to exist. */
async function ensureWorkdir({ spec, image, rootfs }: BundleOptions): Promise<void> {
  const workdir = normalize(containerWorkdir(spec, image));
  const mount = spec.mounts
    .filter(({ destination }) => isWithin(workdir, normalize(destination)))
    .toSorted((a, b) => a.destination.length - b.destination.length)
    .at(-1);
  if (mount === undefined && kernelDirectories.some((path) => isWithin(workdir, path))) return;
  if (mount === undefined && spec.workdir === undefined) {
    await mkdir(await resolveInRootfs(rootfs, workdir), { recursive: true });
    return;
  }
  const inside = mount ? relative(normalize(mount.destination), workdir) : workdir;
  if (mount !== undefined && inside === "") return;
  const root = mount === undefined ? rootfs : mount.type === "bind" ? mount.source : undefined;
  const found = root === undefined ? undefined : await findInRootfs(root, inside);
  if (found?.stats.isDirectory()) return;
  throw new PodfleetError(
    "INVALID_INPUT",
    `Cannot use workdir "${workdir}": it is not a directory of the container's file system`,
    { details: { field: "workdir", value: workdir } },
  );
}

/** Directories that the kernel fills: a container does not see the files that its root filesystem has there. */
const kernelDirectories = ["/dev", "/proc", "/sys"];

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}

async function writeEtcFiles({ id, spec, bundle }: BundleOptions): Promise<EtcFiles> {
  const files: EtcFiles = {
    hosts: join(bundle, "hosts"),
    hostname: join(bundle, "hostname"),
    resolvConf: join(bundle, "resolv.conf"),
  };
  const hostname = containerHostname(id, spec);
  const shared = spec.networkMode === "host";
  const hosts = shared ? await readOptional("/etc/hosts") : loopbackHosts;
  await Promise.all([
    writeReadable(files.hosts, `${hosts.trimEnd()}\n127.0.0.1 ${hostname}\n`),
    writeReadable(files.hostname, `${hostname}\n`),
    writeReadable(files.resolvConf, shared ? await readOptional("/etc/resolv.conf") : ""),
  ]);
  return files;
}

const loopbackHosts = `127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
`;

/** Writes a file that any user in the container may read, whatever the agent's umask. */
async function writeReadable(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  await chmod(path, 0o644);
}

async function readOptional(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return "";
    throw error;
  }
}
