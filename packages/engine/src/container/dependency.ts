/** Which container needs which. */
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";

import type { ContainerRecord } from "../state/container-record.ts";
import type { StateStore } from "../state/state-store.ts";

export type DependenciesOf = (id: ContainerId) => readonly ContainerId[];

/**
 * The containers to start before and with `id`, each after those it depends on; `id` is the last.
 * @throws PodfleetError DEPENDENCY_CYCLE that names the circle
 */
export function startOrder(id: ContainerId, dependenciesOf: DependenciesOf): ContainerId[] {
  const order: ContainerId[] = [];
  const done = new Set<ContainerId>();
  const path: ContainerId[] = [];
  const visit = (current: ContainerId): void => {
    if (done.has(current)) return;
    if (path.includes(current)) throw cycle([...path.slice(path.indexOf(current)), current]);
    path.push(current);
    for (const dependency of dependenciesOf(current)) visit(dependency);
    path.pop();
    done.add(current);
    order.push(current);
  };
  visit(id);
  return order;
}

/** The containers that need `id`, directly or not, each before those it depends on; `id` is the last. */
export function removalOrder(id: ContainerId, records: readonly ContainerRecord[]): ContainerId[] {
  const dependentsOf: DependenciesOf = (current) =>
    dependentsOfContainer(current, records).map(({ snapshot }) => snapshot.id);
  return startOrder(id, dependentsOf);
}

/** The containers that name `id` as a dependency. */
export function dependentsOfContainer(
  id: ContainerId,
  records: readonly ContainerRecord[],
): ContainerRecord[] {
  return records.filter(({ spec }) => spec.dependencies.includes(id));
}

/** @throws PodfleetError DEPENDENCY_NOT_RUNNING that lists the dependencies that do not run, with their states */
export function assertDependenciesRun(
  store: Pick<StateStore, "find" | "get">,
  id: ContainerId,
): void {
  const { snapshot, spec } = store.get(id);
  const missing = spec.dependencies.flatMap((dependency) => {
    const found = store.find(dependency)?.snapshot;
    if (found?.state === "running") return [];
    return [{ id: dependency, name: found?.name ?? dependency, state: found?.state ?? "removed" }];
  });
  if (missing.length === 0) return;
  const list = missing.map(({ name, state }) => `"${name}" is "${state}"`).join(", ");
  throw new PodfleetError(
    "DEPENDENCY_NOT_RUNNING",
    `Cannot start container "${snapshot.name}": dependencies must be "running": ${list}`,
    { details: { container: snapshot.name, dependencies: missing } },
  );
}

function cycle(circle: readonly ContainerId[]): PodfleetError {
  return new PodfleetError(
    "DEPENDENCY_CYCLE",
    `Containers depend on each other in a circle: ${circle.map((id) => `"${id}"`).join(" → ")}`,
    { details: { circle: [...circle] } },
  );
}
