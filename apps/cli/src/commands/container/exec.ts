import { attachToExec } from "../../attached/attached-exec.ts";
import { openDescriptors } from "../../attached/descriptor-output.ts";
import type { Command } from "../../command.ts";
import { getDetachKeys } from "../../config.ts";
import { parseEnvironment, readEntries } from "../../flags/environment.ts";
import { parseCount } from "../../flags/flag-error.ts";
import { addSessionFlags, parseOnDisconnect } from "../../flags/session-flags.ts";
import type { SessionFlags } from "../../flags/session-flags.ts";
import type { Shell } from "../../shell.ts";
import { warnUnlessTerminal } from "../../terminal/warning.ts";
import { windowSize } from "../../terminal/window.ts";
import { traced, verb } from "../../verb.ts";

interface ExecFlags extends SessionFlags {
  readonly detach: boolean;
  readonly env: readonly string[];
  readonly envFile: readonly string[];
  readonly interactive: boolean;
  readonly preserveFds: string;
  readonly privileged: boolean;
  readonly tty: boolean;
  readonly user?: string;
  readonly workdir?: string;
}

export function execCommand(shell: Shell): Command {
  const collect = (value: string, all: string[]): string[] => [...all, value];
  const exec = verb(shell, {
    name: "exec",
    description:
      "Run a command in a running container. Shows its output and ends with its exit code; " +
      "125 is podfleet's own error, 126 a command that cannot be invoked, 127 one that is not found",
    examples: [
      "exec web ls /srv",
      "exec -it web sh",
      "exec --env LEVEL=debug --workdir /srv --user app web ./report",
      "exec --detach web ./reindex",
      "exec --preserve-fds 1 web sh -c 'echo result >&3' 3>result.txt",
    ],
  });
  return addSessionFlags(exec)
    .option("-d, --detach", "do not wait for its end; print the exec session's id", false)
    .option(
      "-e, --env <name[=value]>",
      "environment variable; NAME alone passes the caller's value on",
      collect,
      [],
    )
    .option("--env-file <file>", "read environment variables from a file", collect, [])
    .option("-i, --interactive", "keep its standard input open, and pass this one on", false)
    .option("--preserve-fds <count>", "pass on what it writes to descriptors 3 and up", "0")
    .option("--privileged", "all capabilities", false)
    .option("-t, --tty", "allocate a terminal", false)
    .option("-u, --user <user[:group]>", "user to run it as, by name or number")
    .option("-w, --workdir <dir>", "directory to run it in")
    .argument("<container>", "name, id or id prefix")
    .argument("<command...>", "command and its arguments")
    .passThroughOptions()
    .action(
      traced(shell, async (container: string, command: string[], flags: ExecFlags) => {
        const preserveFds = parseCount("--preserve-fds", flags.preserveFds);
        const descriptors = flags.detach ? [] : openDescriptors(preserveFds);
        const detachKeys = await getDetachKeys(shell.config, flags.detachKeys);
        // A container goes on by itself; a command that reads what nobody writes any more would wait for ever.
        const unattended = flags.interactive ? "hangup" : "keep";
        const onDisconnect = parseOnDisconnect(flags.onDisconnect ?? unattended);
        const { interactive, privileged, tty, user, workdir } = flags;
        const fileEntries = await readEntries("--env-file", flags.envFile);
        const terminalSize = tty ? windowSize() : undefined;
        const spec = {
          ...{ command, tty, privileged, preserveFds, detachKeys, stdin: interactive },
          env: parseEnvironment([...fileEntries, ...flags.env], shell.config.environment),
          ...(terminalSize ? { terminalSize } : {}),
          ...(user === undefined ? {} : { user }),
          ...(workdir === undefined ? {} : { workdir }),
        };
        const client = await shell.client();
        if (!flags.detach) await warnUnlessTerminal(shell, flags);
        const run = await client.exec({ container, spec }, { whenDown: "fail" });
        if (!flags.detach) {
          const attached = { run, input: interactive, detachKeys, onDisconnect, descriptors };
          return await attachToExec(shell, attached);
        }
        await shell.stdout.print(run.id);
        return 0;
      }),
    );
}
