import type { Command } from "../../command.ts";
import { printJson } from "../../output/json.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";
import { findSession } from "./find-session.ts";

export function sessionInspectCommand(shell: Shell): Command {
  return verb(shell, {
    name: "inspect",
    description: "Show all about sessions, as JSON",
    examples: ["session inspect 01936f2e-7b1c-7cc3-98c4-dc0c0c07398f"],
  })
    .argument("<session...>", "ids or id prefixes")
    .action(
      connected(shell, async (client, ids: string[]) => {
        const sessions = ids.map(async (id) => await findSession(client, id));
        await printJson(shell.stdout, await Promise.all(sessions));
      }),
    );
}
