import type { Clock } from "@podfleet/base/clock";
import type { LoopFailure } from "@podfleet/base/loop";
import { journalBytesMaxDefault, JournalRetention } from "@podfleet/journal/retention/retention";
import type { Action } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { type ContainerId, newOperationId } from "@podfleet/model/ids";
import { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";

import { checkpointPaths } from "../checkpoint/checkpoint-paths.ts";
import { ExitWatcher } from "../container/exit-watcher.ts";
import { Reaper } from "../container/reaper.ts";
import { RestartScheduler } from "../container/restart-scheduler.ts";
import { containerExecs } from "../exec/container-execs.ts";
import { ExecWatcher } from "../exec/exec-watcher.ts";
import { HealthCheck } from "../health/health-check.ts";
import { HealthProbe } from "../health/health-probe.ts";
import { HealthScheduler } from "../health/health-scheduler.ts";
import { readCheckpointSupport } from "../host/checkpoint-support.ts";
import type { EngineOptions } from "../host/engine-options.ts";
import { ContainerLocks } from "../lock/container-locks.ts";
import { Batch } from "../operation/batch.ts";
import { Dispatch } from "../operation/dispatch.ts";
import { OperationRunner } from "../operation/operation-runner.ts";
import { Steps } from "../operation/steps.ts";
import { growingJournals, type GrowingJournalSources } from "../output/growing-journals.ts";
import { RootfsUses } from "../rootfs/rootfs-uses.ts";
import { ExecStore } from "../state/exec-store.ts";
import { SessionStore } from "../state/session-store.ts";
import type { StateStore } from "../state/state-store.ts";
import { UsageReader } from "../usage/usage-reader.ts";
import { type Foundation, openHost } from "./host.ts";
import {
  assembleCheckpoints,
  assembleContainers,
  assembleExecs,
  assembleFiles,
} from "./methods.ts";
import { lockingMethods, stepMethods } from "./verbs.ts";

export type Assembly = Awaited<ReturnType<typeof assemble>>;

/** Makes the parts of an engine for each other. @throws PodfleetError see `openHost` */
export async function assemble({ options, opened, ...base }: Foundation) {
  const { clock, paths, store, problems } = base;
  const host = await openHost({ options, clock, paths, problems });
  const { images } = host;
  const onExit = (id: ContainerId): void => reaper.exited(id);
  const onError = (error: unknown): void => problems({ error });
  const exits = new ExitWatcher({ directory: paths.exits, clock, onExit, onFailure: onError });
  opened.defer(() => exits.close());
  const execs = new ExecStore(store);
  const onLoopFailure = ({ name: loop, error }: LoopFailure): void => problems({ loop, error });
  const execWatcher = new ExecWatcher({ clock, paths, execs, onFailure: onLoopFailure });
  const sessions = new SessionStore(store);
  const ground = {
    ...{ clock, paths, store, exits, sessions, execs, execWatcher },
    ...host,
    locks: new ContainerLocks(clock),
    storage: new ContainerStorage(paths.containers, images),
    rootfsUses: new RootfsUses(),
    cgroupParent: options.cgroupParent,
    containerExecs: containerExecs(execs, execWatcher),
  };
  const containers = assembleContainers({
    ...ground,
    terminalSizes: sessions,
    restartLater: (id) => restarts.schedule(id),
  });
  const healthParts = { ...ground, ...containers, onFailure: onError };
  const healthProbe = new HealthProbe({ ...healthParts, directory: paths.health });
  const performLater = (action: Action): void => {
    const operationId = newOperationId();
    runner
      .perform({ operationId, action })
      .catch((error: unknown) => problems({ error, operationId }));
  };
  const checkpointSupport = readCheckpointSupport(host.runtime);
  const parts = {
    ...ground,
    ...containers,
    ...assembleExecs({ ...ground, sync: containers.sync }),
    journals: boundJournals({ clock, execs, paths, store }, options, onLoopFailure),
    ...assembleFiles({ ...ground, cleanup: containers.cleanup }),
    usage: new UsageReader(ground),
    checkpointPaths: (snapshot: ContainerSnapshot) => checkpointPaths(paths, snapshot),
    checkpointSupport,
    ...assembleCheckpoints({
      ...{ ...ground, ...containers, checkpointSupport },
      uploads: images.uploads,
    }),
    cleanUpLater: (id: ContainerId) => reaper.cleanUp(id),
    healthCheck: new HealthCheck({ ...healthParts, healthProbe, performLater }),
    healthProbe,
    performLater,
  };
  const onFailure = (error: unknown, containerId: ContainerId) => problems({ error, containerId });
  const reaper = new Reaper({ parts, onFailure });
  const restarts = new RestartScheduler({ parts, onFailure });
  const steps = new Steps(stepMethods(parts), store);
  const methods = lockingMethods({ ...parts, batch: new Batch({ ...parts, steps }) });
  const runner = new OperationRunner({
    ...{ clock, store },
    dispatch: new Dispatch({ ...parts, steps, methods }),
    onDefect: (error, operationId) => problems({ error, operationId }),
  });
  const health = new HealthScheduler({
    ...parts,
    onFailure: onLoopFailure,
    onUnchecked: onFailure,
  });
  return { parts, reaper, restarts, health, runner };
}

function boundJournals(
  parts: GrowingJournalSources & {
    readonly clock: Clock;
    readonly store: Pick<StateStore, "journalTable">;
  },
  { journalBytesMax }: EngineOptions,
  onFailure: (failure: LoopFailure) => void,
): JournalRetention {
  return new JournalRetention({
    clock: parts.clock,
    table: parts.store.journalTable,
    bytesMax: journalBytesMax ?? journalBytesMaxDefault,
    growing: () => growingJournals(parts),
    onFailure,
  });
}
