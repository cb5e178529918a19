import { containerCan } from "@podfleet/model/container/state";

import type { Command } from "../../command.ts";
import type { Shell } from "../../shell.ts";
import { plainVerb } from "./plain-verb.ts";

export function refreshCommand(shell: Shell): Command {
  return plainVerb(shell, {
    name: "refresh",
    description: "Make containers anew in the OCI runtime, and bring them back to what they were",
    examples: ["refresh web", "refresh --all"],
    all: { description: "refresh every container", states: containerCan.refresh.states },
    perform: async (api, input) => await api.containers.refresh.mutate(input),
  });
}
