/** Brings an engine up: what an earlier engine left is taken over before the first call is served. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";

import { systemClock } from "@podfleet/base/clock";
import type { HoldingCgroup } from "@podfleet/oci/cgroup/holding-cgroup";
import { findMonitorPid } from "@podfleet/oci/monitor/pid-files";
import { identityOf } from "@podfleet/oci/process/process-identity";

import { type HostContinuity, reconcile } from "../container/reconcile.ts";
import { recoverExecs } from "../exec/exec-recovery.ts";
import type { EngineOptions } from "../host/engine-options.ts";
import { EnginePaths } from "../host/engine-paths.ts";
import { readBootId, readHostFacts } from "../host/facts.ts";
import { endLeftovers } from "../host/leftovers.ts";
import { hasProcess } from "../state/container-process.ts";
import type { ExecStore } from "../state/exec-store.ts";
import { StateStore } from "../state/state-store.ts";
import { assemble } from "./assembly.ts";
import { assembleBackground } from "./background.ts";

export type OpenedEngine = Awaited<ReturnType<typeof openEngine>>;

/** See `Engine.open`. */
export async function openEngine(options: EngineOptions) {
  const problems = options.onProblem ?? (() => undefined);
  const clock = options.clock ?? systemClock;
  const paths = new EnginePaths(options);
  using opened = new DisposableStack();
  const store = StateStore.open(paths.database, clock);
  opened.defer(() => store.close());
  const bootId = await readBootId();
  const continuity = continuityOf(store, paths, bootId);
  if (continuity === "rebooted") await rm(options.runRoot, { recursive: true, force: true });
  const assembly = await assemble({ options, clock, paths, store, problems, opened });
  const { parts, reaper, restarts, runner } = assembly;
  const { cgroups, checkpointSupport } = parts;
  const [facts] = await Promise.all([
    readHostFacts(parts.runtime, { cgroupMode: cgroups.mode, bootId, checkpointSupport }),
    endLeftovers({
      clock,
      exitDirectory: paths.exits,
      runtimeRoot: paths.runtimeRoot,
      recordedPids: await recordedPids(store, paths),
    }),
  ]);
  await recoverExecs(parts, continuity);
  const toCleanUp = await reconcile(parts, continuity);
  store.saveBootId(bootId);
  moveMonitors(parts);
  const background = assembleBackground(assembly, problems);
  const resumed = runner.resume((id) => {
    if (toCleanUp.has(id)) reaper.cleanUp(id);
  });
  for (const id of toCleanUp) if (!resumed.has(id)) reaper.cleanUp(id);
  restarts.open();
  for (const loop of background.loops) loop.start();
  return { parts, runner, ...background, facts, opened: opened.move() };
}

function continuityOf(store: StateStore, paths: EnginePaths, bootId: string): HostContinuity {
  const last = store.findBootId();
  if (last !== undefined && last !== bootId) return "rebooted";
  return last === undefined || existsSync(paths.exits) ? "same" : "lost";
}

interface MonitorHolders {
  readonly execs: Pick<ExecStore, "list">;
  readonly monitorCgroup: Pick<HoldingCgroup, "joinSoon">;
  readonly store: Pick<StateStore, "list">;
}

/** Moves the monitors that an earlier engine started into their cgroup, if it ended before it did. */
function moveMonitors({ execs, monitorCgroup, store }: MonitorHolders): void {
  const running = store.list().filter(({ snapshot }) => hasProcess(snapshot));
  const executing = execs.list().filter(({ session }) => session.state === "running");
  const monitors = [
    ...running.map(({ snapshot, processes }) =>
      identityOf(snapshot.monitorPid, processes.monitorStartTicks),
    ),
    ...executing.map(({ processes }) =>
      identityOf(processes.monitorPid, processes.monitorStartTicks),
    ),
  ];
  for (const monitor of monitors) if (monitor) monitorCgroup.joinSoon(monitor);
}

/** Process ids of containers and monitors on record, and of monitors whose restore may have ended without a commit. */
async function recordedPids(store: StateStore, paths: EnginePaths): Promise<Set<number>> {
  const pids = await Promise.all(
    store.list().map(async ({ snapshot, processes }) => {
      if (hasProcess(snapshot)) return [snapshot.monitorPid, snapshot.pid];
      return processes.restoring ? [await findMonitorPid(paths.bundle(snapshot.id))] : [];
    }),
  );
  return new Set(pids.flat().filter((pid) => pid !== undefined));
}
