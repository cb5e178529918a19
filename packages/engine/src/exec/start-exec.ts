import { closeSync, constants, openSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Action } from "@podfleet/model/action";
import { assertAllowed } from "@podfleet/model/container/state";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import { type ExecSession, type ExecSpec, firstExtraDescriptor } from "@podfleet/model/exec";
import type { ContainerId, ExecId } from "@podfleet/model/ids";
import { execProcessFile, execWithMonitor, findExecPids } from "@podfleet/oci/monitor/exec-monitor";
import type { MonitoredProcess } from "@podfleet/oci/monitor/monitor";
import { endProcess, findStartTicks, identityOf } from "@podfleet/oci/process/process-identity";
import { resolveUser } from "@podfleet/oci/rootfs/user";
import { serializeRuntimeSpec } from "@podfleet/oci/spec/runtime-spec";
import { execProcess } from "@podfleet/oci/spec/spec";

import type { EngineParts } from "../container/engine-parts.ts";
import { undoAfter } from "../container/undo.ts";
import type { CommitNote, OperationRef } from "../state/state-store.ts";
import { adoptExecLocked } from "./adopt-exec.ts";
import { commitExecStarted } from "./exec-run.ts";

/** The longest that starting a command may take. */
export const execMsMax = 60_000;
const endTimeoutMs = 5_000;

/**
 * Runs a further command in a running container. The container's lock is held until the command runs, not while it does.
 * @throws PodfleetError CANNOT_INVOKE unless the container runs; EXEC_IN_USE for an id that was used; COMMAND_NOT_FOUND,
 * COMMAND_NOT_EXECUTABLE, INVALID_INPUT for a user or workdir that is not there, or why the runtime could not: no session is left
 * then. INTERRUPTED when the engine ended on the way and the command may have run
 */
export async function startExec(
  parts: EngineParts,
  operation: OperationRef,
  action: Extract<Action, { verb: "exec.start" }> & { readonly resumed: boolean },
): Promise<void> {
  const { containerId, execId, spec, verb, resumed } = action;
  await parts.locks.run(containerId, { purpose: verb, holdMsMax: execMsMax }, async () => {
    await parts.sync.syncLocked(containerId, { operation });
    const note = { operation, ends: "succeeded" } as const;
    await startExecLocked(parts, { containerId, execId, spec, resumed }, note);
  });
}

export interface ExecStart {
  readonly containerId: ContainerId;
  readonly execId: ExecId;
  readonly spec: ExecSpec;
}

type StartNote = Pick<CommitNote, "operation" | "ends">;

/** Commits the session as running, with what `note` says; `resumed`: an earlier engine may have begun with it. */
export async function startExecLocked(
  parts: EngineParts,
  start: ExecStart & { readonly resumed: boolean },
  note: StartNote,
): Promise<void> {
  // The kernel's wait passes beside the writing of records.
  using _move = parts.monitorCgroup.moves.expect();
  const known = parts.execs.find(start.execId)?.session;
  if (known) {
    if (!start.resumed || known.state !== "created") throw alreadyUsed(known);
    if (await adoptExecLocked(parts, known, note)) return;
    await discardExec(parts, start.execId);
  }
  await beginExecLocked(parts, start, note);
}

async function beginExecLocked(
  parts: EngineParts,
  start: ExecStart,
  note: StartNote,
): Promise<void> {
  const { containerId, execId, spec } = start;
  const { snapshot } = parts.store.get(containerId);
  assertAllowed("exec.start", snapshot);
  parts.execs.begin({
    ...{ id: execId, containerId, spec, run: snapshot.run },
    ...{ state: "created", exitUnknown: false, timedOut: false },
    createdAt: new Date(parts.clock.nowMs()).toISOString(),
  });
  try {
    commitExecStarted(parts, execId, { ...note, process: await spawnCommand(parts, start) });
  } catch (error) {
    await undoAfter(error, () => discardExec(parts, execId));
    // The container may have ended meanwhile, which says more than what the runtime makes of it.
    if (hasCode(error, "RUNTIME_FAILED")) {
      await parts.sync.syncLocked(containerId, { operation: note.operation });
      assertAllowed("exec.start", parts.store.get(containerId).snapshot);
    }
    throw error;
  }
}

async function spawnCommand(
  parts: EngineParts,
  { containerId, execId, spec }: ExecStart,
): Promise<MonitoredProcess> {
  const { paths } = parts;
  const bundle = paths.execBundle(execId);
  await Promise.all([
    mkdir(paths.exec(execId), { recursive: true, mode: 0o700 }),
    mkdir(paths.execExits(execId), { recursive: true, mode: 0o700 }),
  ]);
  using files = new DisposableStack();
  const descriptors = Array.from({ length: spec.preserveFds }, (_, position) => {
    const path = paths.execDescriptor(execId, firstExtraDescriptor + position);
    const { O_APPEND, O_CREAT, O_WRONLY } = constants;
    const file = openSync(path, O_WRONLY | O_APPEND | O_CREAT, 0o600);
    files.defer(() => closeSync(file));
    return file;
  });
  return await execWithMonitor({
    ...{ execId, containerId, spec, bundle, descriptors },
    exitDirectory: paths.execExits(execId),
    journal: paths.execJournal(execId),
    runtime: parts.runtime,
    program: parts.monitorProgram,
    cgroup: parts.monitorCgroup,
    ready: writeExecProcess(parts, { containerId, spec, bundle }),
  });
}

/** Tells the runtime, in the session's bundle, what to run as whom. */
export async function writeExecProcess(
  parts: EngineParts,
  options: {
    readonly containerId: ContainerId;
    readonly spec: ExecSpec;
    readonly bundle: string;
  },
): Promise<void> {
  const { containerId: id, spec: exec, bundle } = options;
  const { snapshot, spec } = parts.store.get(id);
  const image = parts.images.config(snapshot.imageId);
  const user = await resolveUser(parts.storage.rootfsPath(id), {
    user: exec.user ?? spec.user ?? image.user,
    groups: exec.user === undefined ? spec.groups : [],
  });
  const process = execProcess({ id, spec, image, user, host: parts.hostLimits }, exec);
  await writeFile(join(bundle, execProcessFile), serializeRuntimeSpec(process), { mode: 0o600 });
}

/** Leaves nothing of a session whose command could not be started. */
async function discardExec(parts: EngineParts, id: ExecId): Promise<void> {
  const bundle = parts.paths.execBundle(id);
  const { pid } = await findExecPids(bundle);
  const process = identityOf(pid, pid && findStartTicks(pid));
  if (process) await endProcess(process, endTimeoutMs, parts.clock);
  await Promise.all([
    rm(bundle, { recursive: true, force: true }),
    rm(parts.paths.exec(id), { recursive: true, force: true }),
  ]);
  parts.execs.forget(id);
}

function alreadyUsed({ id, state }: ExecSession): PodfleetError {
  return new PodfleetError(
    "EXEC_IN_USE",
    `Cannot start exec session "${id}": it has been started before and is "${state}", must be a new one`,
    { details: { execId: id, state } },
  );
}
