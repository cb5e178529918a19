import type { Action } from "@podfleet/model/action";
import type { Session } from "@podfleet/model/session";
import { sigkill } from "@podfleet/model/signal";

import type { SessionInputs } from "./session-inputs.ts";
import type { SessionTarget } from "./session-target.ts";

const sighup = 1;

export interface UnattendedCommand {
  readonly target: SessionTarget;
  readonly inputs: Pick<SessionInputs, "find">;
  /** Begins an operation of the engine's own. */
  readonly performLater: (action: Action) => void;
}

/** Does to the command what `onDisconnect` says, unless the client has detached. */
export function endUnattended(
  { containerId, spec, detached }: Session,
  { target, inputs, performLater }: UnattendedCommand,
): void {
  const { action } = spec.onDisconnect;
  if (action === "keep" || detached || target.state().is !== "running") return;
  const signal = action === "kill" ? sigkill : sighup;
  if (action === "hangup") inputs.find(target)?.finish();
  performLater(
    spec.execId === undefined
      ? { verb: "container.kill", containerId, signal }
      : { verb: "exec.kill", containerId, execId: spec.execId, signal },
  );
}
