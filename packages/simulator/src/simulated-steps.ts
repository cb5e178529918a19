/** What verbs make of a simulated container: the state that the verb table names, and what is more than that. */
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { PodfleetError } from "@podfleet/model/errors";
import { changeResources } from "@podfleet/model/resources";
import type { StepOf, StepVerb } from "@podfleet/model/verb/batch-verb";
import { assertAllowed, containerCan, findMethod } from "@podfleet/model/verb/container-methods";
import type { Capability } from "@podfleet/model/verb/definition";
import type { Verb } from "@podfleet/model/verb/verbs";

type Effect<V extends StepVerb> = (
  snapshot: ContainerSnapshot,
  step: StepOf<V>,
) => ContainerSnapshot;

const effects: { readonly [V in StepVerb]?: Effect<V> } = {
  "container.start": started,
  "container.restart": started,
  "container.stop": (snapshot) => ({ ...ended(snapshot, 137), stoppedByUser: true }),
  "container.kill": (snapshot) => ({ ...snapshot, stoppedByUser: true }),
  "container.cleanup": (snapshot) =>
    snapshot.state === "created" ? { ...withoutPid(snapshot), state: restOf(snapshot) } : snapshot,
  "container.refresh": refreshed,
  "container.rename": (snapshot, { name }) => ({ ...snapshot, name }),
  "container.update": updated,
  "container.mount": (snapshot) => mounted(snapshot, (snapshot.mount?.count ?? 0) + 1),
  "container.unmount": unmounted,
};

/** @throws PodfleetError the verb's refusal in the state that the container is in */
export function stepped<V extends StepVerb>(
  snapshot: ContainerSnapshot,
  step: StepOf<V>,
): ContainerSnapshot {
  assertVerbAllowed(step.verb, snapshot);
  const effect = effects[step.verb];
  return effect ? effect(snapshot, step) : withResult(step.verb, snapshot);
}

export function assertVerbAllowed(verb: Verb, snapshot: ContainerSnapshot): void {
  const method = findMethod(verb);
  if (method) assertAllowed(method, snapshot);
}

/** The state that the verb table says the verb leads to. */
export function withResult(verb: Verb, snapshot: ContainerSnapshot): ContainerSnapshot {
  const method = findMethod(verb);
  const { result = snapshot.state }: Partial<Capability> = method ? containerCan[method] : {};
  return { ...snapshot, state: result };
}

export function started(snapshot: ContainerSnapshot): ContainerSnapshot {
  return { ...snapshot, state: "running", run: snapshot.run + 1, pid: 4242, stoppedByUser: false };
}

/** Its process, when it has one that has run, has ended with the code. */
export function ended(snapshot: ContainerSnapshot, exitCode: number): ContainerSnapshot {
  const { run, exitedRun } = snapshot;
  const exit = run > exitedRun ? { exitCode, exitedRun: run } : {};
  return { ...withoutPid(snapshot), ...exit, state: "exited" };
}

function withoutPid({ pid: _, ...rest }: ContainerSnapshot): ContainerSnapshot {
  return rest;
}

function restOf({ run }: ContainerSnapshot): ContainerSnapshot["state"] {
  return run > 0 ? "exited" : "configured";
}

function refreshed(snapshot: ContainerSnapshot): ContainerSnapshot {
  const { state } = snapshot;
  if (state === "running" || state === "paused") {
    return { ...started(ended(snapshot, 137)), state };
  }
  return { ...snapshot, state: state === "created" ? state : "configured" };
}

function updated(
  snapshot: ContainerSnapshot,
  { resources, restartPolicy }: StepOf<"container.update">,
): ContainerSnapshot {
  const present = snapshot.specChanges?.resources ?? {};
  const changes = {
    ...(resources ? { resources: changeResources(present, resources) } : {}),
    ...(restartPolicy ? { restartPolicy } : {}),
  };
  return { ...snapshot, specChanges: { ...snapshot.specChanges, ...changes } };
}

function mounted({ mount: _, ...snapshot }: ContainerSnapshot, count: number): ContainerSnapshot {
  return count > 0 ? { ...snapshot, mount: { path: "/mnt/rootfs", count } } : snapshot;
}

function unmounted(
  snapshot: ContainerSnapshot,
  { force }: StepOf<"container.unmount">,
): ContainerSnapshot {
  const { name, mount, state } = snapshot;
  const isInUse = state === "created" || state === "running" || state === "paused";
  if (!mount) {
    throw new PodfleetError(
      isInUse ? "STATE_INVALID" : "NOT_MOUNTED",
      `Cannot unmount container "${name}": it is not mounted`,
    );
  }
  return mounted(snapshot, force && !isInUse ? 0 : mount.count - 1);
}
