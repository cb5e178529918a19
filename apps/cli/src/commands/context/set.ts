import { text } from "node:stream/consumers";

import { contextSchema, findContext, writeContext } from "@podfleet/client/context";
import { PodfleetError } from "@podfleet/model/errors";

import type { Command } from "../../command.ts";
import { parseDetachKeys } from "../../config.ts";
import { flagError } from "../../flags/flag-error.ts";
import type { Shell } from "../../shell.ts";
import { verb } from "../../verb.ts";

interface SetFlags {
  readonly url?: string;
  readonly token?: string;
  readonly detachKeys?: string;
}

export function contextSetCommand(shell: Shell): Command {
  return verb(shell, {
    name: "set",
    description:
      "Choose the control plane to call, and the keys that leave a session; what is not given stays as it was",
    examples: [
      "context set --url http://127.0.0.1:7575 --token - < token",
      "context set --url https://fleet.example.org",
      "context set --detach-keys ctrl-a,a",
    ],
  })
    .option("--url <url>", "where the control plane listens")
    .option("--token <token>", 'API token; "-" reads it from standard input, out of others\' sight')
    .option(
      "--detach-keys <keys>",
      "what a terminal's user types to leave a session; empty: nothing",
    )
    .action(async (flags: SetFlags) => {
      const keys = flags.detachKeys;
      const detachKeys = keys === undefined ? undefined : parseDetachKeys("--detach-keys", keys);
      const path = shell.config.contextPath;
      const present = await findContext(path);
      const token = flags.token === "-" ? (await text(process.stdin)).trim() : flags.token;
      const context = contextSchema.safeParse({
        url: flags.url ?? present?.url,
        token: token ?? present?.token,
        detachKeys: detachKeys ?? present?.detachKeys,
      });
      if (context.success) {
        await writeContext(path, context.data);
        return await shell.stdout.print(`Wrote ${path}`);
      }
      const [issue] = context.error.issues;
      const flag = issue?.path[0] === "token" ? "token" : "url";
      const value = flag === "token" ? token : flags.url;
      if (value === undefined) {
        throw new PodfleetError("INVALID_INPUT", `Cannot write "${path}": it needs --${flag} too`);
      }
      throw flagError(
        `--${flag}`,
        flag === "token" ? "" : value,
        issue?.message ?? "is not allowed",
      );
    });
}
