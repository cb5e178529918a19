/** What a simulated host does for each verb. A verb without an entry changes the container as the verb table says. */
import type { Action, ActionOf } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { isPolicyPossible } from "@podfleet/model/container/spec";
import { PodfleetError } from "@podfleet/model/errors";
import { successOf } from "@podfleet/model/event-type";
import type { OperationId } from "@podfleet/model/ids";
import type { OperationOutcome, StepResult } from "@podfleet/model/operation";
import { type Step, type StepVerb, stepVerbs } from "@podfleet/model/verb/batch-verb";
import { assertAllowed, isAllowed } from "@podfleet/model/verb/container-methods";
import type { Verb, VerbOn } from "@podfleet/model/verb/verbs";

import { type SimulatedRecords, simulatedImage } from "./simulated-records.ts";
import { assertVerbAllowed, ended, stepped, withResult } from "./simulated-steps.ts";

type Perform<V extends Verb> = (
  records: SimulatedRecords,
  action: ActionOf<V>,
  operation: OperationId,
) => OperationOutcome;

const performers: { readonly [V in Verb]?: Perform<V> } = {
  "container.create": create,
  "container.import": create,
  "container.remove": remove,
  "container.batch": batch,
  "container.checkpoint": (records, { containerId, leaveRunning }) => {
    assertVerbAllowed("container.checkpoint", records.get(containerId));
    const change = (snapshot: ContainerSnapshot): ContainerSnapshot =>
      leaveRunning ? snapshot : ended(snapshot, 137);
    return succeeded(records.change(containerId, change));
  },
  "container.healthcheck": (records, { containerId }) => {
    const container = records.get(containerId);
    assertAllowed("healthcheck", container);
    if (records.specs.get(containerId)?.healthcheck) return succeeded(container);
    throw invalid(
      `Cannot check the health of container "${container.name}": it has no healthcheck`,
    );
  },
  "artifact.add": (records, { containerId, name }) => {
    const container = records.get(containerId);
    assertAllowed("artifact.add", container);
    const names = records.artifacts.get(containerId) ?? new Set();
    records.artifacts.set(containerId, names.add(name));
    return succeeded(container);
  },
  "artifact.remove": (records, { containerId, name }) => {
    const container = records.get(containerId);
    assertAllowed("artifact.remove", container);
    if (records.artifacts.get(containerId)?.delete(name)) return succeeded(container);
    throw new PodfleetError("ARTIFACT_NOT_FOUND", `Cannot find artifact "${name}"`);
  },
  "exec.start": startExec,
  "exec.kill": (records, { execId }) => {
    const exec = records.session(execId);
    if (exec.state === "running") return { status: "succeeded", exec };
    throw new PodfleetError(
      "STATE_INVALID",
      `Cannot signal exec session "${execId}": it has ended`,
    );
  },
  "exec.remove": removeExec,
  "image.load": () => ({ status: "succeeded", images: [simulatedImage] }),
};

/** @throws PodfleetError why the operation fails */
export function carryOut(
  records: SimulatedRecords,
  action: Action,
  operation: OperationId,
): OperationOutcome {
  return perform(records, action, operation) ?? changeContainer(records, action);
}

function perform<V extends Verb>(
  records: SimulatedRecords,
  action: ActionOf<V>,
  operation: OperationId,
): OperationOutcome | undefined {
  return performers[action.verb]?.(records, action, operation);
}

function changeContainer(records: SimulatedRecords, action: Action): OperationOutcome {
  if (!("containerId" in action)) throw new Error(`${action.verb} is on no container`);
  const { containerId } = action;
  if (isLoneStep(action)) return succeeded(step(records, containerId, action));
  assertVerbAllowed(action.verb, records.get(containerId));
  return succeeded(records.change(containerId, (snapshot) => withResult(action.verb, snapshot)));
}

function isLoneStep(action: Action): action is ActionOf<Extract<StepVerb, VerbOn<"container">>> {
  return (stepVerbs as readonly Verb[]).includes(action.verb);
}

function step(
  records: SimulatedRecords,
  id: ContainerSnapshot["id"],
  wanted: Step,
): ContainerSnapshot {
  if (wanted.verb === "container.rename") assertNameFree(records, wanted.name);
  if (wanted.verb === "container.update") assertPolicyPossible(records, id, wanted);
  return records.change(id, (snapshot) => stepped(snapshot, wanted));
}

function create(
  records: SimulatedRecords,
  action: ActionOf<"container.create" | "container.import">,
): OperationOutcome {
  const { containerId: id, name } = action;
  if (records.containers.has(id) || records.removed.has(id)) {
    throw invalid(`Cannot create container "${id}": there is one with that id`);
  }
  assertNameFree(records, name);
  const snapshot: ContainerSnapshot = {
    ...{ id, name, revision: 1, state: "configured", imageId: simulatedImage.id },
    ...{ run: 0, exitedRun: 0, exitUnknown: false, restartCount: 0 },
    ...{ oomKilled: false, stoppedByUser: false, createdAt: new Date().toISOString() },
  };
  records.containers.set(id, snapshot);
  if ("spec" in action) records.specs.set(id, action.spec);
  return succeeded(snapshot);
}

function remove(
  records: SimulatedRecords,
  { containerId: id, force }: ActionOf<"container.remove">,
): OperationOutcome {
  const { name, state } = records.get(id);
  if (!force && !isAllowed("remove", state)) {
    throw new PodfleetError("STATE_INVALID", `Cannot remove container "${name}": it is ${state}`);
  }
  if (state === "running" || state === "paused") records.exit(id, 137);
  const container = records.change(id, (snapshot) => ({ ...snapshot, state: "removing" }));
  records.containers.delete(id);
  records.removed.set(id, container);
  return succeeded(container);
}

function batch(
  records: SimulatedRecords,
  { containerId, steps, continueOnError }: ActionOf<"container.batch">,
  operation: OperationId,
): OperationOutcome {
  assertAllowed("batch", records.get(containerId));
  const results: StepResult[] = [];
  let failure: PodfleetError | undefined;
  for (const [position, wanted] of steps.entries()) {
    const { verb } = wanted;
    if (failure && !continueOnError) {
      results.push({ status: "skipped", verb });
      continue;
    }
    try {
      const container = step(records, containerId, wanted);
      const part = { id: operation, verb, step: position };
      records.append({ type: successOf(verb), containerId, container, operation: part });
      results.push({ status: "succeeded", verb, container });
    } catch (error) {
      const stepError = PodfleetError.from(error);
      failure ??= stepError;
      results.push({ status: "failed", verb, error: stepError.toWire() });
    }
  }
  const container = records.get(containerId);
  return failure
    ? { status: "failed", error: failure.toWire(), container, steps: results }
    : { status: "succeeded", container, steps: results };
}

function startExec(
  records: SimulatedRecords,
  { execId, containerId, spec }: ActionOf<"exec.start">,
): OperationOutcome {
  const container = records.get(containerId);
  if (records.execs.has(execId)) {
    throw new PodfleetError("EXEC_IN_USE", `Cannot start exec session "${execId}": it was before`);
  }
  assertAllowed("exec.start", container);
  const now = new Date().toISOString();
  const exec = {
    ...{ id: execId, containerId, spec, run: container.run },
    ...{ state: "running" as const, pid: 4243, createdAt: now, startedAt: now },
    ...{ exitUnknown: false, timedOut: false },
  };
  records.execs.set(execId, exec);
  return { status: "succeeded", exec };
}

function removeExec(
  records: SimulatedRecords,
  { execId, force }: ActionOf<"exec.remove">,
): OperationOutcome {
  if (records.session(execId).state === "running") {
    if (!force) {
      throw new PodfleetError("EXEC_IN_USE", `Cannot remove exec session "${execId}": it runs`);
    }
    records.exitExec(execId, 137);
  }
  const exec = records.session(execId);
  records.execs.delete(execId);
  return { status: "succeeded", exec };
}

function assertNameFree(records: SimulatedRecords, name: string): void {
  const isTaken = [...records.containers.values()].some((container) => container.name === name);
  if (isTaken) throw new PodfleetError("NAME_IN_USE", `The host has a container named "${name}"`);
}

function assertPolicyPossible(
  records: SimulatedRecords,
  id: ContainerSnapshot["id"],
  { restartPolicy }: Extract<Step, { readonly verb: "container.update" }>,
): void {
  const spec = records.specs.get(id);
  if (!spec || !restartPolicy || isPolicyPossible({ ...spec, restartPolicy })) return;
  throw invalid('Restart policy must be "no" for a container that is removed when its run ends');
}

function invalid(message: string): PodfleetError {
  return new PodfleetError("INVALID_INPUT", message);
}

function succeeded(container: ContainerSnapshot): OperationOutcome {
  return { status: "succeeded", container };
}
