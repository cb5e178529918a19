import type { LoopFailure } from "@podfleet/base/loop";
import { Transfers } from "@podfleet/storage/transfer/transfers";

import { MonitorWatcher } from "../container/monitor-watcher.ts";
import { Housekeeper } from "../housekeeping/housekeeper.ts";
import { OutputReader } from "../output/output-reader.ts";
import { Sessions } from "../session/sessions.ts";
import type { Assembly } from "./assembly.ts";
import type { ProblemReport } from "./host.ts";

/** Makes what an engine has when its records are in line with the host: sessions, transfers, and its background work. */
export function assembleBackground(assembly: Assembly, problems: ProblemReport) {
  const { parts, reaper, restarts, health, runner } = assembly;
  const onFailure = (error: unknown): void => problems({ error });
  const onLoopFailure = ({ name: loop, error }: LoopFailure): void => problems({ loop, error });
  const sessions = new Sessions({ ...parts, onFailure, onLoopFailure });
  const transfers = new Transfers({ clock: parts.clock, onFailure });
  const monitorWatcher = new MonitorWatcher({
    ...parts,
    onGone: (id) => parts.exits.wake(id),
    onFailure: onLoopFailure,
  });
  const housekeeper = new Housekeeper({ ...parts, uploads: parts.images.uploads }, onLoopFailure);
  const loops = [
    ...[sessions.loop, monitorWatcher.loop, parts.execWatcher.loop, housekeeper.loop],
    ...[health.loop, restarts.queue, reaper.queue, parts.journals.loop],
  ];
  /** In the order in which they are closed. */
  const activities: readonly { close(): Promise<void> }[] = [
    sessions,
    { close: async () => await transfers.closeAll() },
    ...[runner, monitorWatcher, housekeeper, health, restarts, reaper],
    ...[parts.execWatcher, parts.journals],
  ];
  return { sessions, transfers, output: new OutputReader(parts), loops, activities };
}
