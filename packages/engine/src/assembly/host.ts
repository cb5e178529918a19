/** The ground that an engine stands on: its host, and what it was opened with. */
import { mkdir } from "node:fs/promises";

import type { Clock } from "@podfleet/base/clock";
import { readCgroupHierarchies } from "@podfleet/oci/cgroup/cgroup";
import { HoldingCgroup } from "@podfleet/oci/cgroup/holding-cgroup";
import { readHostLimits } from "@podfleet/oci/host/host-limits";
import { monitor } from "@podfleet/oci/monitor/monitor-launch";
import { findTool } from "@podfleet/oci/process/run-command";
import { OciRuntime } from "@podfleet/oci/runtime/runtime";
import { ImageStore } from "@podfleet/storage/image/image-store";

import type { EngineOptions, EngineProblem } from "../host/engine-options.ts";
import type { EnginePaths } from "../host/engine-paths.ts";
import type { StateStore } from "../state/state-store.ts";

export type ProblemReport = (problem: EngineProblem) => void;

export interface Foundation {
  readonly options: EngineOptions;
  readonly clock: Clock;
  readonly paths: EnginePaths;
  readonly store: StateStore;
  readonly problems: ProblemReport;
  /** Resources that close with the engine are added here. */
  readonly opened: DisposableStack;
}

/**
 * Makes the engine's directories, and opens the host's cgroups, its limits, the OCI runtime and the images.
 * @throws PodfleetError UNSUPPORTED when the host lacks what containers need
 */
export async function openHost(foundation: Omit<Foundation, "opened" | "store">) {
  const { options, clock, paths, problems } = foundation;
  await mkdir(paths.journals, { recursive: true, mode: 0o700 });
  await mkdir(paths.execs, { recursive: true, mode: 0o700 });
  await mkdir(paths.execBundles, { recursive: true, mode: 0o700 });
  await mkdir(paths.runtimeRoot, { recursive: true, mode: 0o700 });
  const cgroups = await readCgroupHierarchies();
  const hostLimits = await readHostLimits(cgroups);
  const runtime = new OciRuntime({
    name: options.runtime,
    root: paths.runtimeRoot,
    cgroups,
    toolDirectories: options.toolDirectories,
    timeoutMs: options.runtimeTimeoutMs,
  });
  const images = await ImageStore.open(paths.images, clock);
  const monitorProgram = findTool(monitor, options.toolDirectories);
  const monitorCgroup = new HoldingCgroup({
    cgroups,
    path: `${options.cgroupParent}-monitors`,
    onFailure: (error) => problems({ error }),
  });
  return { cgroups, hostLimits, runtime, images, monitorProgram, monitorCgroup };
}
