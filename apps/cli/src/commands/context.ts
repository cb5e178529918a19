/** `podfleet context`: which control plane the CLI calls. */
import { text } from "node:stream/consumers";

import { contextSchema, findContext, writeContext } from "@podfleet/client/context";
import { PodfleetError } from "@podfleet/model/errors";

import type { Command } from "../command.ts";
import { getDetachKeys, parseDetachKeys } from "../config.ts";
import { addFormatFlag, type FormatFlags, parseFormat } from "../flags/format.ts";
import { addDetachKeysFlag } from "../flags/session-flags.ts";
import { flagError } from "../flags/values.ts";
import { printReport } from "../output/table.ts";
import type { Shell } from "../shell.ts";
import { verb } from "../verb.ts";

export function contextShowCommand(shell: Shell): Command {
  const show = verb(shell, {
    name: "show",
    description: "Show the control plane in use and where it is configured, without the token",
    examples: ["context show", "context show --format json"],
  });
  return addFormatFlag(show).action(async (flags: FormatFlags) => {
    const format = parseFormat(flags);
    const { config } = shell;
    const file = await findContext(config.contextPath);
    const source = (variable: string | undefined, inFile: string | undefined, name: string) =>
      variable ? name : inFile ? config.contextPath : "not set";
    const context = {
      url: config.url ?? file?.url ?? null,
      urlFrom: source(config.url, file?.url, "PODFLEET_URL"),
      tokenId: tokenIdOf(config.token ?? file?.token),
      tokenFrom: source(config.token, file?.token, "PODFLEET_TOKEN"),
      detachKeys: await getDetachKeys(config, undefined),
    };
    await printReport(shell.stdout, format, {
      json: context,
      rows: [
        ["URL:", context.url ?? "", `(${context.urlFrom})`],
        ["Token:", context.tokenId ?? "", `(${context.tokenFrom})`],
        ["Detach keys:", context.detachKeys || "none"],
      ],
    });
  });
}

/** @returns the public half of a token, which is its name in the control plane's records */
function tokenIdOf(token: string | undefined): string | null {
  return /^(pf_[0-9a-f]{8})_/.exec(token ?? "")?.[1] ?? (token ? "set" : null);
}

interface SetFlags {
  readonly url?: string;
  readonly token?: string;
  readonly detachKeys?: string;
}

export function contextSetCommand(shell: Shell): Command {
  const set = verb(shell, {
    name: "set",
    description:
      "Set the control plane to call and the detach keys. Flags not given keep their value",
    examples: [
      "context set --url http://127.0.0.1:7575 --token - < token",
      "context set --url https://fleet.example.org",
      "context set --detach-keys ctrl-a,a",
    ],
  })
    .option("--url <url>", "URL of the control plane")
    .option("--token <token>", 'API token; "-" reads it from standard input');
  return addDetachKeysFlag(set).action(async (flags: SetFlags) => {
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
    // A token is never printed.
    const shown = flag === "token" ? "" : value;
    throw flagError(`--${flag}`, shown, issue?.message ?? "is not allowed");
  });
}
