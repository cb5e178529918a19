import { containerCan } from "@podfleet/model/container/state";

import type { Command } from "../../command.ts";
import type { Shell } from "../../shell.ts";
import { plainVerb } from "./plain-verb.ts";

export function cleanupCommand(shell: Shell): Command {
  return plainVerb(shell, {
    name: "cleanup",
    description:
      "Take down what the runs of containers have left: mounts, processes, network; one that its restart policy is about to start is started",
    examples: ["cleanup web", "cleanup --all"],
    all: {
      description: "clean up after every container that does not run",
      states: containerCan.cleanup.states,
    },
    ignoresMissing: true,
    perform: async (api, input) => await api.containers.cleanup.mutate(input),
  });
}
