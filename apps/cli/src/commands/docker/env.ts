import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { PodfleetError } from "@podfleet/model/errors";

import type { Command } from "../../command.ts";
import { getContext } from "../../config.ts";
import { parseChoice } from "../../flags/values.ts";
import type { Shell } from "../../shell.ts";
import { verb } from "../../verb.ts";
import { writeDockerConfig } from "./docker-config.ts";

interface EnvFlags {
  readonly socket?: string | true;
  readonly shell: string;
  readonly unset: boolean;
}

/** Socket of a control plane started by `npm start`. */
const socketDefault = "/run/podfleet/docker.sock";

const names = ["DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY"] as const;
/** null unsets a variable; absent variables are left alone. */
type Variables = Partial<Record<(typeof names)[number], string | null>>;

export function dockerEnvCommand(shell: Shell): Command {
  return verb(shell, {
    name: "env",
    description:
      "Print the variables that point Docker's CLI at the fleet. Without --socket they select the control plane of the context; its token is written to a Docker configuration beside the context file",
    examples: [
      'docker env; eval "$(podfleet docker env)"; docker ps',
      'docker env --socket; eval "$(podfleet docker env --socket)"; docker exec -it web sh',
      "docker env --shell fish | source",
      'docker env --unset; eval "$(podfleet docker env --unset)"',
    ],
  })
    .option(
      "--socket [path]",
      `use the Unix socket of the control plane on this machine, which needs no token (default path: ${socketDefault})`,
    )
    .option("--shell <shell>", "syntax to print: posix or fish", "posix")
    .option("--unset", "print the commands that undo it", false)
    .action(async (flags: EnvFlags) => {
      const syntax = syntaxes[parseChoice("--shell", flags.shell, ["posix", "fish"])];
      const variables = flags.unset ? unset : await variablesOf(shell, flags.socket);
      const lines = Object.entries(variables).map(([name, value]) =>
        value === null ? syntax.unset(name) : syntax.set(name, quote(value)),
      );
      await shell.stdout.print(lines.join("\n"));
    });
}

async function variablesOf(shell: Shell, socket: string | true | undefined): Promise<Variables> {
  if (socket !== undefined) return await socketVariables(socket === true ? socketDefault : socket);
  const context = await getContext(shell.config);
  const folder = join(dirname(shell.config.contextPath), "docker");
  await writeDockerConfig(folder, context.token);
  const { protocol, hostname, port, pathname } = new URL(context.url);
  const isSecure = protocol === "https:";
  // Without a port, Docker's CLI would use 2375 or 2376.
  const address = `${hostname}:${port || (isSecure ? 443 : 80)}`;
  return {
    DOCKER_HOST: `tcp://${address}${pathname.replace(/\/$/, "")}`,
    DOCKER_CONFIG: folder,
    DOCKER_TLS_VERIFY: isSecure ? "1" : null,
  };
}

async function socketVariables(given: string): Promise<Variables> {
  const path = resolve(given);
  const found = await stat(path).catch(() => undefined);
  if (found?.isSocket()) return { DOCKER_HOST: `unix://${path}`, DOCKER_TLS_VERIFY: null };
  throw new PodfleetError(
    "INVALID_INPUT",
    `Cannot use --socket "${path}": there is no socket; a control plane serves one where PODFLEET_DOCKER_SOCKET says`,
  );
}

const unset: Variables = Object.fromEntries(names.map((name) => [name, null]));

const syntaxes = {
  posix: {
    set: (name: string, value: string) => `export ${name}=${value}`,
    unset: (name: string) => `unset ${name}`,
  },
  fish: {
    set: (name: string, value: string) => `set -gx ${name} ${value}`,
    unset: (name: string) => `set -e ${name}`,
  },
};

/** Quotes a word for both shells. */
function quote(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`;
}
