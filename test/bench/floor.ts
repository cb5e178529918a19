/**
 * The floor: conmon and runc started from Node, on a plain directory as the root filesystem, without a record,
 * an overlay, a seccomp filter or a network message.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, watch } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { promisify } from "node:util";

import { newContainerId } from "@podfleet/model/ids";

import { command } from "./contender.ts";
import type { Contender } from "./contender.ts";
import { execAtFloor } from "./floor-exec.ts";
import { conmon, processSpec, runc, timeoutMs, toolPath } from "./floor-tools.ts";

const run = promisify(execFile);

const cgroupParent = "/podfleet-bench";

interface Place {
  readonly root: string;
  readonly exits: string;
  readonly runtimeRoot: string;
  readonly rootfs: string;
}

/** @param rootfs directory that holds the image's files */
export async function openFloor(rootfs: string): Promise<Contender> {
  const root = await mkdtemp("/tmp/podfleet-bench-floor-");
  const place = { root, rootfs, exits: join(root, "exits"), runtimeRoot: join(root, "runc") };
  await mkdir(place.exits);
  return {
    name: "floor (conmon + runc)",
    createAndStart: async () => {
      const id = newContainerId();
      await create(place, id);
      await run(runc, [`--root=${place.runtimeRoot}`, "start", id], { timeout: timeoutMs });
      return id;
    },
    exec: async (id, args) => await execAtFloor({ id, ...place }, args),
    stop: async (id) => {
      const exited = exitOf(place, id);
      await run(runc, [`--root=${place.runtimeRoot}`, "kill", id, "KILL"], { timeout: timeoutMs });
      await exited;
    },
    remove: async (id) => {
      await run(runc, [`--root=${place.runtimeRoot}`, "delete", id], { timeout: timeoutMs });
      await rm(join(place.root, id), { recursive: true });
    },
    [Symbol.asyncDispose]: async () => {
      await rm(root, { recursive: true });
      await removeCgroups();
    },
  };
}

/** runc removes a container's cgroups and leaves their parent, one in each hierarchy. */
async function removeCgroups(): Promise<void> {
  const mount = "/sys/fs/cgroup";
  for (const hierarchy of ["", ...(await readdir(mount))]) {
    const folder = join(mount, hierarchy, cgroupParent);
    if (existsSync(folder)) await rmdir(folder);
  }
}

async function create(place: Place, id: string): Promise<void> {
  const bundle = join(place.root, id);
  await mkdir(bundle);
  await writeFile(join(bundle, "config.json"), JSON.stringify(runtimeSpec(place.rootfs, id)));
  const flags = [
    ["--api-version", "1"],
    ["-c", id],
    ["-u", id],
    ["-n", id],
    ["-r", runc],
    ["-b", bundle],
    ["-p", join(bundle, "pidfile")],
    ["-l", `k8s-file:${join(bundle, "journal")}`],
    ["--exit-dir", place.exits],
    ["--socket-dir-path", bundle],
    ["--full-attach"],
    ["--runtime-arg", `--root=${place.runtimeRoot}`],
  ].flat();
  const monitor = spawn(conmon, flags, {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    env: { PATH: toolPath, _OCI_SYNCPIPE: "3", _OCI_STARTPIPE: "4" },
    detached: true,
  });
  monitor.unref();
  (monitor.stdio[4] as Writable).end("\0");
  const answer = monitor.stdio[3] as Readable;
  const [bytes] = await once(answer, "data", { signal: AbortSignal.timeout(timeoutMs) });
  answer.destroy();
  const { data, message } = JSON.parse(String(bytes)) as { data: number; message?: string };
  if (data < 0) throw new Error(`Cannot create the floor's container: ${message}`);
}

/** conmon writes the exit file once the process has ended and its output is in the journal. */
async function exitOf(place: Place, id: string): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  const watcher = watch(place.exits);
  try {
    while (!existsSync(join(place.exits, id))) await once(watcher, "change", { signal });
  } finally {
    watcher.close();
  }
}

function runtimeSpec(rootfs: string, id: string) {
  return {
    ociVersion: "1.0.2",
    process: processSpec(command),
    root: { path: rootfs, readonly: false },
    hostname: "floor",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] },
    ],
    linux: {
      cgroupsPath: `${cgroupParent}/${id}`,
      namespaces: ["pid", "ipc", "uts", "mount", "network"].map((type) => ({ type })),
      resources: {},
    },
  };
}
