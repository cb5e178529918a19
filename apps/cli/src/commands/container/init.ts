import { containerCan } from "@podfleet/model/container/state";

import type { Command } from "../../command.ts";
import type { Shell } from "../../shell.ts";
import { plainVerb } from "./plain-verb.ts";

export function initCommand(shell: Shell): Command {
  return plainVerb(shell, {
    name: "init",
    description: "Create the processes of containers without starting their commands",
    examples: ["init web", "init --all"],
    all: {
      description: "initialize every container that can be",
      states: containerCan.init.states,
    },
    perform: async (api, input) => await api.containers.init.mutate(input),
  });
}
