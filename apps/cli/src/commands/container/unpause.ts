import { containerCan } from "@podfleet/model/container/state";

import type { Command } from "../../command.ts";
import type { Shell } from "../../shell.ts";
import { plainVerb } from "./plain-verb.ts";

export function unpauseCommand(shell: Shell): Command {
  return plainVerb(shell, {
    name: "unpause",
    description: "Let paused containers go on",
    examples: ["unpause web", "unpause --all"],
    all: { description: "unpause every paused container", states: containerCan.unpause.states },
    perform: async (api, input) => await api.containers.unpause.mutate(input),
  });
}
