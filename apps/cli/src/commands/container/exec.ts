import { PodfleetError } from "@podfleet/model/errors";

import { attachExec } from "../../attached/attached-exec.ts";
import { openDescriptors } from "../../attached/descriptor-output.ts";
import type { Command } from "../../command.ts";
import { parseEnvironment, readEntries } from "../../flags/environment.ts";
import { parseCount } from "../../flags/flag-error.ts";
import type { Shell } from "../../shell.ts";
import { traced, verb } from "../../verb.ts";

interface ExecFlags {
  readonly detach: boolean;
  readonly detachKeys?: string;
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
  return verb(shell, {
    name: "exec",
    description:
      "Run a command in a running container. Shows its output and ends with its exit code; " +
      "125 is podfleet's own error, 126 a command that cannot be invoked, 127 one that is not found",
    examples: [
      "exec web ls /srv",
      "exec --env LEVEL=debug --workdir /srv --user app web ./report",
      "exec --detach web ./reindex",
      "exec --preserve-fds 1 web sh -c 'echo result >&3' 3>result.txt",
    ],
  })
    .option("-d, --detach", "do not wait for its end; print the session's id", false)
    .option("--detach-keys <keys>", "what a terminal's user types to leave the session")
    .option(
      "-e, --env <name[=value]>",
      "environment variable; NAME alone passes the caller's value on",
      collect,
      [],
    )
    .option("--env-file <file>", "read environment variables from a file", collect, [])
    .option("-i, --interactive", "keep its standard input open; only with --detach", false)
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
        if (!flags.detach) assertNoInput(flags);
        const preserveFds = parseCount("--preserve-fds", flags.preserveFds);
        const descriptors = flags.detach ? [] : openDescriptors(preserveFds);
        const { detachKeys, privileged, tty, user, workdir } = flags;
        const fileEntries = await readEntries("--env-file", flags.envFile);
        const spec = {
          ...{ command, tty, privileged, preserveFds, stdin: flags.interactive },
          env: parseEnvironment([...fileEntries, ...flags.env], shell.config.environment),
          ...(detachKeys === undefined ? {} : { detachKeys }),
          ...(user === undefined ? {} : { user }),
          ...(workdir === undefined ? {} : { workdir }),
        };
        const client = await shell.client();
        const run = await client.exec({ container, spec }, { whenDown: "fail" });
        if (!flags.detach) return await attachExec(shell, run, descriptors);
        await shell.stdout.print(run.id);
        return 0;
      }),
    );
}

function assertNoInput({ interactive }: ExecFlags): void {
  if (!interactive) return;
  throw new PodfleetError(
    "UNSUPPORTED",
    "Cannot use --interactive attached: this version has no interactive input; leave --interactive out, or add --detach",
  );
}
