import type { Command } from "../../command.ts";
import { printJson } from "../../output/json.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

export function hostInspectCommand(shell: Shell): Command {
  return verb(shell, {
    name: "inspect",
    description: "Show all about hosts, as JSON",
    examples: ["host inspect host-1", "host inspect host-1 host-2"],
  })
    .argument("<host...>", "names or ids")
    .action(
      connected(shell, async (client, names: string[]) => {
        const hosts = names.map(async (host) => await client.api.hosts.inspect.query({ host }));
        await printJson(shell.stdout, await Promise.all(hosts));
      }),
    );
}
