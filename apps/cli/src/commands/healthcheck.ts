/** `podfleet healthcheck`. */
import type { Command } from "../command.ts";
import type { Shell } from "../shell.ts";
import { traced, verb } from "../verb.ts";

export function healthcheckRunCommand(shell: Shell): Command {
  return verb(shell, {
    name: "run",
    description:
      "Run a container's healthcheck now. Exits with 0 when it passes, else prints the container's health and exits with 1",
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
        // Every failure after the start period is reported as unhealthy, as podman does.
        await shell.stdout.print(container.health === "starting" ? "starting" : "unhealthy");
        return 1;
      }),
    );
}
