import { PodfleetError } from "@podfleet/model/errors";
import type { TerminalSize } from "@podfleet/model/exec";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import { resizeTerminal } from "@podfleet/oci/monitor/terminal";

import type { EnginePaths } from "../host/engine-paths.ts";
import type { StateStore } from "../state/state-store.ts";

/**
 * Sets the size of the terminal of a created or running container.
 * @throws PodfleetError CONTAINER_NOT_FOUND; STATE_INVALID, also when it has no terminal
 */
export async function resizeContainer(
  {
    paths,
    store,
  }: { readonly paths: Pick<EnginePaths, "bundle">; readonly store: Pick<StateStore, "get"> },
  id: ContainerId,
  size: TerminalSize,
): Promise<void> {
  const { snapshot, spec } = store.get(id);
  assertAllowed("resize", snapshot);
  if (!spec.tty) {
    throw new PodfleetError(
      "STATE_INVALID",
      `Cannot resize the terminal of container "${snapshot.name}": it was created without one`,
      { details: { container: snapshot.name } },
    );
  }
  await resizeTerminal(paths.bundle(id), size);
}
