import { mkdir, rm } from "node:fs/promises";

import { sealJournal } from "@podfleet/journal/record/seal";
import type { TerminalSize } from "@podfleet/model/exec";
import type { ContainerId } from "@podfleet/model/ids";
import { writeBundle } from "@podfleet/oci/bundle/bundle";
import { writeCriuConfig } from "@podfleet/oci/bundle/criu-config";
import type { HoldingCgroup } from "@podfleet/oci/cgroup/holding-cgroup";
import {
  createWithMonitor,
  type MonitoredProcess,
  type Revival,
} from "@podfleet/oci/monitor/monitor";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";
import type { HostLimits } from "@podfleet/oci/spec/host-limits";
import { containerCommand } from "@podfleet/oci/spec/spec";
import type { ImageStore } from "@podfleet/storage/image/image-store";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";

import type { EnginePaths } from "../host/engine-paths.ts";
import { makeNetworkNamespace } from "../host/network-namespace.ts";
import type { ContainerRecord } from "../state/container-record.ts";
import type { ContainerCleanup } from "./container-cleanup.ts";
import type { ExitWatcher } from "./exit-watcher.ts";
import { undoAfter } from "./undo.ts";

export interface ProcessCreationParts {
  readonly paths: EnginePaths;
  readonly exits: Pick<ExitWatcher, "forget">;
  readonly runtime: OciRuntime;
  readonly images: Pick<ImageStore, "config">;
  readonly storage: Pick<ContainerStorage, "mountRootfs">;
  readonly cleanup: Pick<ContainerCleanup, "discardLocked">;
  readonly hostLimits: HostLimits;
  /** The cgroup below which each container has its own. */
  readonly cgroupParent: string;
  /** Path of conmon. */
  readonly monitorProgram: string;
  /** The cgroup in which monitors live. */
  readonly monitorCgroup: HoldingCgroup;
  readonly terminalSizes: {
    /** The size that a client who waits for run `run` has asked for. */
    findTerminalSize(id: ContainerId, run: number): TerminalSize | undefined;
  };
}

/** Makes a container's process in the OCI runtime, under a monitor of its own. */
export class ProcessCreation {
  readonly #parts: ProcessCreationParts;

  constructor(parts: ProcessCreationParts) {
    this.#parts = parts;
  }

  /**
   * Creates the container's process, which waits to run the command; with `revival` CRIU brings back the processes of a checkpoint.
   * A failure leaves nothing of it.
   * @throws PodfleetError see `writeBundle` and `createWithMonitor`; STORAGE_FAILED
   */
  async createLocked(record: ContainerRecord, revival?: Revival): Promise<MonitoredProcess> {
    const { cleanup, exits, images, monitorCgroup, monitorProgram, paths, runtime } = this.#parts;
    const { spec } = record;
    const { id, imageId } = record.snapshot;
    const bundle = paths.bundle(id);
    await runtime.delete(id, { force: true });
    exits.forget(id);
    await rm(bundle, { recursive: true, force: true });
    await mkdir(bundle, { recursive: true, mode: 0o700 });
    const [command = ""] = containerCommand(spec, images.config(imageId));
    await sealJournal(paths.journal(id));
    const ready = this.#prepare(record, revival);
    try {
      return await createWithMonitor({
        id,
        bundle,
        journal: paths.journal(id),
        exitDirectory: paths.exits,
        tty: spec.tty,
        stdin: spec.stdin,
        runtime,
        cgroup: monitorCgroup,
        command,
        revival,
        program: monitorProgram,
        ready,
      });
    } catch (error) {
      await undoAfter(error, async () => {
        await Promise.allSettled([ready]);
        await cleanup.discardLocked(id);
      });
      throw error;
    }
  }

  /** Mounts the root filesystem and makes the bundle complete. */
  async #prepare({ snapshot, spec }: ContainerRecord, revival?: Revival): Promise<void> {
    const { cgroupParent, hostLimits, images, paths, storage, terminalSizes } = this.#parts;
    const { id, imageId, run } = snapshot;
    const rootfs = await storage.mountRootfs(id, imageId);
    const hasNetwork = spec.networkMode !== "host";
    const network = revival && (await this.#prepareRevival(id, hasNetwork));
    await writeBundle({
      ...{ id, spec, rootfs, network },
      image: images.config(imageId),
      bundle: paths.bundle(id),
      host: hostLimits,
      cgroup: `${cgroupParent}/${id}`,
      terminalSize: terminalSizes.findTerminalSize(id, run + 1),
    });
  }

  /** Makes what CRIU does not bring back; returns the network namespace that is to be used, if any. */
  async #prepareRevival(id: ContainerId, hasNetwork: boolean): Promise<string | undefined> {
    const { paths } = this.#parts;
    await writeCriuConfig(paths.bundle(id));
    if (!hasNetwork) return undefined;
    const network = paths.networkNamespace(id);
    await makeNetworkNamespace(network);
    return network;
  }
}
