/** Commands on several targets: each is printed when it is done, errors go to standard error. */
import type { Api } from "@podfleet/client/api";
import type { Client } from "@podfleet/client/client";
import type { ContainerState } from "@podfleet/model/container/state";
import { errorKinds, PodfleetError } from "@podfleet/model/errors";
import type { OperationId } from "@podfleet/model/ids";
import pLimit from "p-limit";

import { reportFailure } from "./failure.ts";
import type { Shell } from "./shell.ts";

/** Targets worked on at the same time. */
const concurrency = 8;

export interface TargetFailure {
  readonly target: string;
  readonly error: PodfleetError;
}

export interface ContainerMutation {
  readonly mutate: (
    api: Api,
    input: { readonly operationId: OperationId; readonly container: string },
  ) => Promise<unknown>;
  /** Whether the container counts as done in spite of the error. */
  readonly ignores?: (error: unknown) => boolean;
}

/** Changes each container. @returns the exit code: that of the first failure */
export async function mutateEach(
  shell: Shell,
  containers: readonly string[],
  { mutate, ignores }: ContainerMutation,
): Promise<number> {
  const failures = await forEachTarget(shell, containers, async (container) => {
    try {
      await shell.mutate(
        async ({ api }, operationId) => await mutate(api, { operationId, container }),
      );
    } catch (error) {
      if (!ignores?.(error)) throw error;
    }
  });
  return exitCodeOf(failures);
}

/** Runs `perform` on each target. Prints the targets that succeeded and the errors of the others, in the order of the targets. */
export async function forEachTarget(
  shell: Shell,
  targets: readonly string[],
  perform: (target: string) => Promise<unknown>,
): Promise<TargetFailure[]> {
  const failures: TargetFailure[] = [];
  const limit = pLimit(concurrency);
  const outcomes = targets.map(async (target) => ({
    target,
    error: await limit(async () => await outcomeOf(perform, target)),
  }));
  for (const outcome of outcomes) {
    const { target, error } = await outcome;
    if (error) {
      await reportFailure(shell, error);
      failures.push({ target, error });
    } else {
      await shell.stdout.print(target);
    }
  }
  return failures;
}

/** podman's exit code for several targets: that of the first failure. */
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

/** @returns the named containers; with `--all` the ids of all containers in the given states */
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
