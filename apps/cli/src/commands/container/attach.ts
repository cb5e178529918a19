import { attachToRun } from "../../attached/attached-run.ts";
import type { Command } from "../../command.ts";
import { getDetachKeys } from "../../config.ts";
import { addSessionFlags, parseOnDisconnect } from "../../flags/session-flags.ts";
import type { SessionFlags } from "../../flags/session-flags.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface AttachFlags extends SessionFlags {
  readonly stdin: boolean;
  readonly sigProxy: boolean;
}

export function attachCommand(shell: Shell): Command {
  const command = verb(shell, {
    name: "attach",
    description:
      "Join a running container: show its output from now on, pass input on, and end with its exit code",
    examples: ["attach web", "attach --no-stdin web", "attach --detach-keys ctrl-x,x web"],
  });
  return addSessionFlags(command)
    .option("--no-stdin", "do not pass standard input on")
    .option("--no-sig-proxy", "do not forward signals to the command")
    .argument("<container>", "name, id or id prefix")
    .action(
      connected(shell, async ({ api }, name: string, flags: AttachFlags) => {
        const detachKeys = await getDetachKeys(shell.config, flags.detachKeys);
        const onDisconnect = parseOnDisconnect(flags.onDisconnect ?? "keep");
        const container = await api.containers.inspect.query({ container: name });
        return await attachToRun(shell, {
          container: container.id,
          starts: false,
          tty: container.spec.tty,
          input: flags.stdin,
          detachKeys,
          onDisconnect,
          proxySignals: flags.sigProxy,
          restarts: false,
        });
      }),
    );
}
