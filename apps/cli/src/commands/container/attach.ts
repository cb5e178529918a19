import { attachToRun } from "../../attach/attach.ts";
import type { Command } from "../../command.ts";
import { addSessionFlags, addSignalFlag, readSessionFlags } from "../../flags/session-flags.ts";
import type { SessionFlags, SignalFlags } from "../../flags/session-flags.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface AttachFlags extends SessionFlags, SignalFlags {
  readonly stdin: boolean;
}

export function attachCommand(shell: Shell): Command {
  const command = verb(shell, {
    name: "attach",
    description:
      "Attach to a running container: show its output from now on, forward input and end with its exit code",
    examples: ["attach web", "attach --no-stdin web", "attach --detach-keys ctrl-x,x web"],
  });
  return addSignalFlag(addSessionFlags(command))
    .option("--no-stdin", "do not forward standard input")
    .argument("<container>", "name, id or id prefix")
    .action(
      connected(shell, async ({ api }, name: string, flags: AttachFlags) => {
        const session = await readSessionFlags(shell.config, flags);
        const container = await api.containers.inspect.query({ container: name });
        return await attachToRun(shell, {
          ...session,
          container: container.id,
          starts: false,
          tty: container.spec.tty,
          input: flags.stdin,
          proxySignals: flags.sigProxy,
          restarts: false,
        });
      }),
    );
}
