/** `podfleet session ls` and `podfleet session inspect`. */
import { humanAge } from "@podfleet/base/human-duration";

import type { Command } from "../../command.ts";
import { addListFlags, type ListFlags, listOptions } from "../../flags/format.ts";
import { printJson } from "../../output/output.ts";
import { type Columns, printList } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";
import { findSession, type ListedSession } from "./find-session.ts";

interface SessionListFlags extends ListFlags {
  readonly all: boolean;
  readonly container?: string;
}

export function sessionLsCommand(shell: Shell): Command {
  const ls = verb(shell, {
    name: "ls",
    description: "List open sessions: who is attached to what, and what can be resumed",
    examples: ["session ls", "session ls --all --container web", "session ls --format json"],
  })
    .alias("list")
    .option("-a, --all", "list ended sessions too, while they are kept", false)
    .option("--container <container>", "sessions of one container");
  return addListFlags(ls).action(
    connected(shell, async ({ api }, flags: SessionListFlags) => {
      const { all, container } = flags;
      const filter = { all, ...(container === undefined ? {} : { container }) };
      const { sessions, silentHosts } = await api.sessions.list.query(filter);
      await printList(shell.stdout, sessions, {
        columns: sessionColumns(Date.now()),
        shown: ["id", "container", "command", "host", "state", "caller", "opened"],
        json: (session) => session,
        options: listOptions(flags),
      });
      for (const { name } of silentHosts) {
        await shell.stderr.print(
          `Warning: Host "${name}" does not answer; its sessions are not listed`,
        );
      }
    }),
  );
}

function sessionColumns(nowMs: number): Columns<ListedSession> {
  return {
    id: { heading: "SESSION", value: ({ id }) => id },
    container: {
      heading: "CONTAINER",
      value: ({ containerName, containerId }) => containerName ?? containerId.slice(0, 12),
    },
    command: {
      heading: "COMMAND",
      value: ({ run, spec }) => (spec.execId ? `exec ${spec.execId.slice(0, 12)}` : `run ${run}`),
    },
    host: { heading: "HOST", value: ({ host }) => host.name },
    state: { heading: "STATE", value: (session) => stateOf(session, nowMs) },
    tty: { heading: "TTY", value: ({ tty }) => (tty ? "yes" : "no") },
    input: { heading: "INPUT", value: ({ spec }) => spec.input },
    caller: { heading: "CALLER", value: ({ caller }) => caller },
    opened: { heading: "OPENED", value: ({ openedAt }) => humanAge(openedAt, nowMs) },
    disconnect: {
      heading: "ON DISCONNECT",
      value: ({ spec: { onDisconnect } }) => `${onDisconnect.action}:${onDisconnect.afterSeconds}s`,
    },
  };
}

function stateOf(session: ListedSession, nowMs: number): string {
  const { connected: isConnected, detached, disconnectedAt, end, endedAt, exit } = session;
  if (end !== undefined) {
    const how = end === "exited" ? `exited (${exit?.exitCode ?? "unknown"})` : end;
    return endedAt === undefined ? how : `${how} ${humanAge(endedAt, nowMs)}`;
  }
  if (isConnected) return "connected";
  const how = detached ? "detached" : "disconnected";
  return disconnectedAt === undefined ? how : `${how} ${humanAge(disconnectedAt, nowMs)}`;
}

export function sessionInspectCommand(shell: Shell): Command {
  return verb(shell, {
    name: "inspect",
    description: "Show all details of sessions as JSON",
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
