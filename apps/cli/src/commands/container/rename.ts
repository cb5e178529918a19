import type { Command } from "../../command.ts";
import type { Shell } from "../../shell.ts";
import { traced, verb } from "../../verb.ts";

export function renameCommand(shell: Shell): Command {
  return verb(shell, {
    name: "rename",
    description: "Give a container another name, one that nobody has in the fleet",
    examples: ["rename web www"],
  })
    .argument("<container>", "name, id or id prefix")
    .argument("<name>", "its new name")
    .action(
      traced(shell, async (container: string, name: string) => {
        await shell.mutate(
          async ({ api }, operationId) =>
            await api.containers.rename.mutate({ operationId, container, name }),
        );
      }),
    );
}
