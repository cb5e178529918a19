import type { Command } from "../../command.ts";
import type { Shell } from "../../shell.ts";
import { exitCodeOf, forEachTarget } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";

export function artifactRmCommand(shell: Shell): Command {
  return verb(shell, {
    name: "rm",
    description: "Remove artifacts of a container",
    examples: ["artifact rm web report.txt"],
  })
    .argument("<container>", "name, id or id prefix")
    .argument("<name...>", "names of artifacts")
    .action(
      connected(shell, async (_client, container: string, names: string[]) => {
        const failures = await forEachTarget(shell, names, async (name) =>
          shell.mutate(
            async ({ api }, operationId) =>
              await api.artifacts.remove.mutate({ operationId, container, name }),
          ),
        );
        return exitCodeOf(failures);
      }),
    );
}
