import type { Client } from "@podfleet/client/client";
import type { ContainerState } from "@podfleet/model/container/state";
import { errorKinds, PodfleetError } from "@podfleet/model/errors";

import { reportFailure } from "./failure.ts";
import type { Shell } from "./shell.ts";

const atOnceMax = 8;

export interface TargetFailure {
  readonly target: string;
  readonly error: PodfleetError;
}

/**
 * Does the same to each target, several at a time. Prints each that succeeded, as the caller named it, and each error, in the order
 * of the targets.
 */
export async function forEachTarget(
  shell: Shell,
  targets: readonly string[],
  perform: (target: string) => Promise<unknown>,
): Promise<TargetFailure[]> {
  const failures: TargetFailure[] = [];
  const outcomes = new Map<number, Promise<PodfleetError | undefined>>();
  const begin = (index: number): void => {
    const target = targets[index];
    if (target !== undefined) outcomes.set(index, outcomeOf(perform, target));
  };
  for (let index = 0; index < atOnceMax; index++) begin(index);
  for (const [index, target] of targets.entries()) {
    const error = await outcomes.get(index);
    outcomes.delete(index);
    begin(index + atOnceMax);
    if (error) {
      await reportFailure(shell, error);
      failures.push({ target, error });
    } else {
      await shell.stdout.print(target);
    }
  }
  return failures;
}

/** podman's exit code for an action on several targets: that of the first failure. */
export function exitCodeOf(failures: readonly TargetFailure[]): number {
  const [first] = failures;
  return first ? errorKinds[first.error.code].exitCode : 0;
}

async function outcomeOf(
  perform: (target: string) => Promise<unknown>,
  target: string,
): Promise<PodfleetError | undefined> {
  try {
    await perform(target);
    return undefined;
  } catch (error) {
    return PodfleetError.from(error);
  }
}

/** The targets that the caller named, or with `--all` the ids of every container in one of `states`. */
export async function chosenTargets(
  client: Client,
  names: readonly string[],
  all: { readonly states: readonly ContainerState[] } | undefined,
): Promise<readonly string[]> {
  if (!all) {
    if (names.length > 0) return names;
    throw new PodfleetError("INVALID_INPUT", "Cannot tell which container: name one, or use --all");
  }
  if (names.length > 0) {
    throw new PodfleetError("INVALID_INPUT", "Cannot combine --all with names of containers");
  }
  const filters = { state: [...all.states] };
  const containers = await client.api.containers.list.query({ all: true, filters });
  return containers.map(({ id }) => id);
}
