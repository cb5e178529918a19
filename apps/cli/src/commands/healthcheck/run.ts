import type { Command } from "../../command.ts";
import type { Shell } from "../../shell.ts";
import { traced, verb } from "../../verb.ts";

export function healthcheckRunCommand(shell: Shell): Command {
  return verb(shell, {
    name: "run",
    description:
      "Run a container's healthcheck now. Ends with 0 when it passed, else with 1 and the container's health on standard output",
    examples: ["healthcheck run web"],
  })
    .argument("<container>", "name, id or id prefix")
    .action(
      traced(shell, async (name: string) => {
        const { container, health } = await shell.mutate(
          async ({ api }, operationId) =>
            await api.containers.healthcheck.mutate({ operationId, container: name }),
        );
        if (health?.exitCode === 0) return 0;
        // podman's word for a failure that has not made it unhealthy yet.
        await shell.stdout.print(container.health === "starting" ? "starting" : "unhealthy");
        return 1;
      }),
    );
}
