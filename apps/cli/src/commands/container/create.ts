import type { Command } from "../../command.ts";
import { addContainerFlags } from "../../flags/container-flags.ts";
import type { ContainerFlags } from "../../flags/container-flags.ts";
import type { Shell } from "../../shell.ts";
import { traced, verb } from "../../verb.ts";
import { createFromFlags } from "./create-from-flags.ts";

export function createCommand(shell: Shell): Command {
  const command = verb(shell, {
    name: "create",
    description: "Create a container on a host of the fleet without starting it; print its id",
    examples: [
      "create --name web --memory 64m busybox httpd -f",
      "create --host host-2 --restart always busybox sleep 1d",
      "create --constraint host.labels.disk==ssd busybox",
    ],
  });
  return addContainerFlags(command)
    .helpOption("--help", "show this help")
    .argument("<image>", "name or id of an image that the host has loaded")
    .argument("[command...]", "command and its arguments; the image's when absent")
    .passThroughOptions()
    .action(
      traced(shell, async (image: string, words: string[], flags: ContainerFlags) => {
        const container = await createFromFlags(shell, { image, command: words, flags });
        await shell.stdout.print(container.id);
      }),
    );
}
