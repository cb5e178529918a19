/** A host for tests: real images, mounts, cgroups, monitors and runtimes, in a folder that is removed afterwards. */
import { mkdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";

import { systemClock } from "@podfleet/base/clock";
import { parseJournal } from "@podfleet/base/journal-record";
import { type ContainerSpecInput, containerSpecSchema } from "@podfleet/model/container/spec";
import { type ContainerId, newContainerId, newOperationId } from "@podfleet/model/ids";
import { ImageStore } from "@podfleet/storage/image/image-store";
import { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";
import { busyboxArchive } from "@podfleet/testkit/busybox-image";
import { createTempRoot } from "@podfleet/testkit/temp-root";
import { waitFor } from "@podfleet/testkit/wait-for";

import { writeBundle } from "../bundle/bundle.ts";
import { readCgroupHierarchies } from "../cgroup/cgroup.ts";
import { HoldingCgroup } from "../cgroup/holding-cgroup.ts";
import { endRemains } from "../cgroup/test-remains.ts";
import { readHostLimits } from "../host/host-limits.ts";
import { createWithMonitor, type MonitoredProcess } from "../monitor/monitor.ts";
import { containerCommand } from "../spec/spec.ts";
import { OciRuntime, type RuntimeName } from "./runtime.ts";

export interface TestHost extends AsyncDisposable {
  readonly root: string;
  readonly runtime: OciRuntime;
  /** A container of busybox without any files or processes yet. */
  readonly container: (spec: Partial<ContainerSpecInput>) => TestContainer;
}

export interface TestContainer {
  readonly id: ContainerId;
  readonly bundle: string;
  readonly journal: string;
  /** Mounts the root filesystem, writes the bundle and has a monitor create the container. */
  readonly create: () => Promise<MonitoredProcess>;
  /** Creates and starts it, waits for its end and cleans up; with its exit code and what it wrote to both streams. */
  readonly run: () => Promise<{ readonly exitCode: number; readonly output: string }>;
  /** The exit code, once the monitor has written it. */
  readonly exitCode: () => Promise<number>;
  readonly output: () => Promise<string>;
}

export async function createTestHost(name: RuntimeName): Promise<TestHost> {
  const cgroups = await readCgroupHierarchies();
  const limits = await readHostLimits(cgroups);
  const root = await createTempRoot(`oci-${name}`);
  const cgroupParent = `/${basename(root.path)}`;
  const paths = {
    bundles: join(root.path, "bundles"),
    journals: join(root.path, "journals"),
    exits: join(root.path, "exits"),
  };
  for (const path of Object.values(paths)) await mkdir(path);
  const runtime = new OciRuntime({ name, root: join(root.path, "runtime"), cgroups });
  const cgroup = new HoldingCgroup({
    cgroups,
    path: `${cgroupParent}/monitors`,
    onFailure: (error) => {
      throw error;
    },
  });
  const images = await ImageStore.open(join(root.path, "images"), systemClock);
  const storage = new ContainerStorage(join(root.path, "containers"), images);
  const uploadId = newOperationId();
  const { length } = await images.uploads.append(
    uploadId,
    0,
    await readFile(await busyboxArchive()),
  );
  const [image] = await images.load(uploadId, length);
  if (!image) throw new Error("The archive holds an image");

  const container = (input: Partial<ContainerSpecInput>): TestContainer => {
    const id = newContainerId();
    const spec = containerSpecSchema.parse({ image: "busybox", ...input });
    const config = images.config(image.id);
    const bundle = join(paths.bundles, id);
    const journal = join(paths.journals, id);
    const exit = join(paths.exits, id);
    const prepare = async (): Promise<void> => {
      await storage.create(id);
      const rootfs = await storage.mountRootfs(id, image.id);
      const cgroup = `${cgroupParent}/${id}`;
      await writeBundle({ id, spec, image: config, rootfs, bundle, host: limits, cgroup });
    };
    const create = async (): Promise<MonitoredProcess> => {
      await mkdir(bundle, { recursive: true });
      await rm(exit, { force: true });
      const monitored = { id, bundle, journal, exitDirectory: paths.exits, runtime, cgroup };
      const { tty, stdin } = spec;
      const [command = ""] = containerCommand(spec, config);
      return await createWithMonitor({ ...monitored, tty, stdin, command, ready: prepare() });
    };
    const exitCode = async (): Promise<number> =>
      Number(await waitFor(() => readFile(exit, "utf8"), { what: "the exit file" }));
    const output = async (): Promise<string> => {
      const records = parseJournal(await readFile(journal));
      return Array.from(records, ({ payload, endsLine }) => {
        return `${Buffer.from(payload).toString()}${endsLine ? "\n" : ""}`;
      }).join("");
    };
    const run = async () => {
      await create();
      await runtime.start(id);
      const ended = { exitCode: await exitCode(), output: await output() };
      await runtime.delete(id);
      await storage.remove(id);
      return ended;
    };
    return { id, bundle, journal, create, run, exitCode, output };
  };

  return {
    root: root.path,
    runtime,
    container,
    [Symbol.asyncDispose]: async () => {
      await endRemains({ dataRoot: root.path, runRoot: root.path, cgroupParent });
      await root[Symbol.asyncDispose]();
    },
  };
}
