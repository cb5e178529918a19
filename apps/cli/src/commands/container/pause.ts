import { containerCan } from "@podfleet/model/container/state";

import type { Command } from "../../command.ts";
import type { Shell } from "../../shell.ts";
import { plainVerb } from "./plain-verb.ts";

export function pauseCommand(shell: Shell): Command {
  return plainVerb(shell, {
    name: "pause",
    description: "Freeze every process of containers",
    examples: ["pause web", "pause --all"],
    all: { description: "pause every running container", states: containerCan.pause.states },
    perform: async (api, input) => await api.containers.pause.mutate(input),
  });
}
