import { attachToExec } from "../../attach/attach.ts";
import { openDescriptors } from "../../attach/descriptor-output.ts";
import type { Command } from "../../command.ts";
import { parseEnvironment, readEntries } from "../../flags/environment.ts";
import { addSessionFlags, readSessionFlags, type SessionFlags } from "../../flags/session-flags.ts";
import { parseCount } from "../../flags/values.ts";
import type { Shell } from "../../shell.ts";
import { warnUnlessTerminal } from "../../terminal/notices.ts";
import { windowSize } from "../../terminal/screen.ts";
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
  const exec = verb(shell, {
    name: "exec",
    description:
      "Run a command in a running container, show its output and end with its exit code; " +
      "125 means an error of podfleet itself, 126 a command that cannot be invoked, 127 a command that is not found",
    examples: [
      "exec web ls /srv",
      "exec -it web sh",
      "exec --env LEVEL=debug --workdir /srv --user app web ./report",
      "exec --detach web ./reindex",
      "exec --preserve-fds 1 web sh -c 'echo result >&3' 3>result.txt",
    ],
  });
  return addSessionFlags(exec)
    .option("-d, --detach", "run in the background and print the exec session's id", false)
    .listOption(
      "-e, --env <name[=value]>",
      "environment variable; NAME alone takes the caller's value",
    )
    .listOption("--env-file <file>", "read environment variables from a file")
    .option("-i, --interactive", "keep standard input open and forward it", false)
    .option("--preserve-fds <count>", "forward output to this many descriptors from 3 on", "0")
    .option("--privileged", "give the command all capabilities", false)
    .option("-t, --tty", "allocate a terminal", false)
    .option("-u, --user <user[:group]>", "user, by name or number")
    .option("-w, --workdir <dir>", "working directory")
    .argument("<container>", "name, id or id prefix")
    .argument("<command...>", "command and its arguments")
    .passThroughOptions()
    .action(
      traced(shell, async (container: string, command: string[], flags: ExecFlags) => {
        const preserveFds = parseCount("--preserve-fds", flags.preserveFds);
        const descriptors = flags.detach ? [] : openDescriptors(preserveFds);
        // A command that reads input would wait for ever for a client that does not come back.
        const unattended = flags.interactive ? "hangup" : "keep";
        const session = await readSessionFlags(shell.config, flags, unattended);
        const { detachKeys } = session;
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
        if (!flags.detach) await warnUnlessTerminal(shell.stderr, flags);
        const run = await client.exec({ container, spec }, { whenDown: "fail" });
        if (!flags.detach) {
          return await attachToExec(shell, { ...session, run, input: interactive, descriptors });
        }
        await shell.stdout.print(run.id);
        return 0;
      }),
    );
}
