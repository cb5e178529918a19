import { existsSync } from "node:fs";
import { join } from "node:path";

import type { ContainerPaths } from "@podfleet/model/container/record";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";

import type { EnginePaths } from "../host/engine-paths.ts";
import { dumpFiles, restoreFiles } from "./criu-log.ts";

/** Finds the paths of a container's checkpoint and of CRIU's logs, as far as they exist. */
export function checkpointPaths(
  paths: Pick<EnginePaths, "bundle" | "checkpoint">,
  { id, checkpoint }: ContainerSnapshot,
): Pick<ContainerPaths, "checkpoint" | "checkpointLog" | "restoreLog"> {
  const checkpointLog = join(paths.checkpoint(id), dumpFiles.log);
  const restoreLog = join(paths.bundle(id), restoreFiles.log);
  return {
    ...(checkpoint ? { checkpoint: paths.checkpoint(id) } : {}),
    ...(checkpoint && existsSync(checkpointLog) ? { checkpointLog } : {}),
    ...(existsSync(restoreLog) ? { restoreLog } : {}),
  };
}
