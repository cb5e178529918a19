import { attachToSession } from "../../attached/attached-session.ts";
import type { Command } from "../../command.ts";
import { getDetachKeys } from "../../config.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";
import { findSession } from "./find-session.ts";

interface ResumeFlags {
  readonly detachKeys?: string;
  readonly sigProxy: boolean;
}

export function sessionResumeCommand(shell: Shell): Command {
  return verb(shell, {
    name: "resume",
    description:
      "Come back to a session, from anywhere: it goes on where it was, and ends with the command's exit code",
    examples: ["session resume 01936f2e-7b1c-7cc3-98c4-dc0c0c07398f"],
  })
    .option("--detach-keys <keys>", "what a terminal's user types to leave it; empty: nothing")
    .option("--no-sig-proxy", "do not forward signals to a container's command")
    .argument("<session>", "id or id prefix")
    .action(
      connected(shell, async (client, reference: string, flags: ResumeFlags) => {
        const detachKeys = await getDetachKeys(shell.config, flags.detachKeys);
        const session = await findSession(client, reference);
        return await attachToSession(shell, session, { detachKeys, proxySignals: flags.sigProxy });
      }),
    );
}
