import { humanAge } from "@podfleet/base/human-duration";
import type { Artifact } from "@podfleet/model/artifact";

import type { Command } from "../../command.ts";
import { humanSize } from "../../output/quantity.ts";
import { type Columns, type ListOptions, printList } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

export function artifactLsCommand(shell: Shell): Command {
  return verb(shell, {
    name: "ls",
    description: "List the artifacts of a container",
    examples: ["artifact ls web", "artifact ls --format json web"],
  })
    .option("--format <format>", "json, or a list of columns")
    .option("--noheading", "leave out the headings", false)
    .argument("<container>", "name, id or id prefix")
    .action(
      connected(shell, async (client, container: string, options: ListOptions) => {
        const artifacts = await client.api.artifacts.list.query({ container });
        const nowMs = Date.now();
        const columns: Columns<Artifact> = {
          name: { heading: "NAME", value: ({ name }) => name },
          size: { heading: "SIZE", value: ({ sizeBytes }) => humanSize(sizeBytes) },
          modified: {
            heading: "MODIFIED",
            value: ({ modifiedAt }) => humanAge(modifiedAt, nowMs),
          },
        };
        const json = (artifact: Artifact) => artifact;
        const shown = ["name", "size", "modified"];
        await printList(shell.stdout, artifacts, { columns, shown, json, options });
      }),
    );
}
