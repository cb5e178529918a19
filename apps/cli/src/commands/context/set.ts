import { text } from "node:stream/consumers";

import { contextSchema, findContext, writeContext } from "@podfleet/client/context";
import { PodfleetError } from "@podfleet/model/errors";

import type { Command } from "../../command.ts";
import { flagError } from "../../flags/flag-error.ts";
import type { Shell } from "../../shell.ts";
import { verb } from "../../verb.ts";

interface SetFlags {
  readonly url?: string;
  readonly token?: string;
}

export function contextSetCommand(shell: Shell): Command {
  return verb(shell, {
    name: "set",
    description: "Choose the control plane to call; what is not given stays as it was",
    examples: [
      "context set --url http://127.0.0.1:7575 --token - < token",
      "context set --url https://fleet.example.org",
    ],
  })
    .option("--url <url>", "where the control plane listens")
    .option("--token <token>", 'API token; "-" reads it from standard input, out of others\' sight')
    .action(async (flags: SetFlags) => {
      const path = shell.config.contextPath;
      const present = await findContext(path);
      const token = flags.token === "-" ? (await text(process.stdin)).trim() : flags.token;
      const context = contextSchema.safeParse({
        url: flags.url ?? present?.url,
        token: token ?? present?.token,
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
