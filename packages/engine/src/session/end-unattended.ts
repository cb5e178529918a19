import type { Session } from "@podfleet/model/session";

import type { EngineParts } from "../container/engine-parts.ts";
import type { SessionInputs } from "./session-inputs.ts";
import type { SessionTarget } from "./session-target.ts";

const sighup = 1;
const sigkill = 9;

/** Does to the command what was agreed on for the case that no client comes back; nothing when the client left on purpose. */
export function endUnattended(
  { performLater }: Pick<EngineParts, "performLater">,
  { containerId, spec, detached }: Session,
  { target, inputs }: { readonly target: SessionTarget; readonly inputs: SessionInputs },
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
