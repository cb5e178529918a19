import { findContext } from "@podfleet/client/context";

import type { Command } from "../../command.ts";
import { getDetachKeys } from "../../config.ts";
import { parseChoice } from "../../flags/flag-error.ts";
import { printJson } from "../../output/json.ts";
import { alignColumns } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { verb } from "../../verb.ts";

export function contextShowCommand(shell: Shell): Command {
  return verb(shell, {
    name: "show",
    description: "Show which control plane is called and where that is set; the token is not shown",
    examples: ["context show", "context show --format json"],
  })
    .option("--format <format>", "text or json", "text")
    .action(async (flags: { readonly format: string }) => {
      const format = parseChoice("--format", flags.format, ["text", "json"]);
      const { config } = shell;
      const file = await findContext(config.contextPath);
      const source = (variable: string | undefined, inFile: string | undefined, name: string) =>
        variable ? name : inFile ? config.contextPath : "not set";
      const context = {
        url: config.url ?? file?.url ?? null,
        urlFrom: source(config.url, file?.url, "PODFLEET_URL"),
        // The id half of a token names it in the control plane's records; the rest is the secret.
        tokenId: tokenIdOf(config.token ?? file?.token),
        tokenFrom: source(config.token, file?.token, "PODFLEET_TOKEN"),
        detachKeys: await getDetachKeys(config, undefined),
      };
      if (format === "json") return await printJson(shell.stdout, context);
      const lines = [
        ["URL:", context.url ?? "", `(${context.urlFrom})`],
        ["Token:", context.tokenId ?? "", `(${context.tokenFrom})`],
        ["Detach keys:", context.detachKeys || "none"],
      ];
      await shell.stdout.print(alignColumns(lines).join("\n"));
    });
}

function tokenIdOf(token: string | undefined): string | null {
  return /^(pf_[0-9a-f]{8})_/.exec(token ?? "")?.[1] ?? (token ? "set" : null);
}
