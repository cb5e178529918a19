/** `podfleet artifact`: files kept with containers. */
import { Readable } from "node:stream";

import { humanAge } from "@podfleet/base/human-duration";
import type { Artifact } from "@podfleet/model/artifact";

import type { Command } from "../command.ts";
import { openInputFile } from "../flags/values.ts";
import { saveBytes, writeBytes } from "../output/byte-output.ts";
import { humanSize } from "../output/quantity.ts";
import { type Columns, type ListOptions, printList } from "../output/table.ts";
import type { Shell } from "../shell.ts";
import { exitCodeOf, forEachTarget } from "../targets.ts";
import { connected, verb } from "../verb.ts";

export function artifactAddCommand(shell: Shell): Command {
  return verb(shell, {
    name: "add",
    description: "Store a file with a container, replacing an artifact of the same name",
    examples: [
      "artifact add web report.txt ./report.txt",
      "date | podfleet artifact add web date -",
    ],
  })
    .argument("<container>", "name, id or id prefix")
    .argument("<name>", "name of the artifact")
    .argument("<file>", "file to store; - for standard input")
    .action(
      connected(shell, async (client, container: string, name: string, file: string) => {
        const input = (): ReadableStream<Uint8Array> => Readable.toWeb(process.stdin);
        const bytes = file === "-" ? input() : await openInputFile("file", file);
        await client.files(container).writeArtifact(name, bytes);
        await shell.stdout.print(name);
      }),
    );
}

export function artifactGetCommand(shell: Shell): Command {
  return verb(shell, {
    name: "get",
    description: "Write an artifact of a container to a file or to standard output",
    examples: ["artifact get --output report.txt web report.txt", "artifact get web date | cat"],
  })
    .option("-o, --output <file>", "write to a file instead of standard output")
    .argument("<container>", "name, id or id prefix")
    .argument("<name>", "name of the artifact")
    .action(
      connected(
        shell,
        async (client, container: string, name: string, flags: { readonly output?: string }) => {
          const bytes = client.files(container).readArtifact(name);
          if (flags.output !== undefined) return await saveBytes(bytes, flags.output);
          const advice = { what: "an artifact", instead: "use --output" };
          await writeBytes(bytes, shell.stdout, advice);
        },
      ),
    );
}

export function artifactLsCommand(shell: Shell): Command {
  return verb(shell, {
    name: "ls",
    description: "List the artifacts of a container",
    examples: ["artifact ls web", "artifact ls --format json web"],
  })
    .option("--format <format>", "json, or a list of columns")
    .option("--noheading", "omit the headings", false)
    .argument("<container>", "name, id or id prefix")
    .action(
      connected(shell, async (client, container: string, options: ListOptions) => {
        await printList(shell.stdout, await client.api.artifacts.list.query({ container }), {
          columns: artifactColumns(Date.now()),
          shown: ["name", "size", "modified"],
          json: (artifact) => artifact,
          options,
        });
      }),
    );
}

function artifactColumns(nowMs: number): Columns<Artifact> {
  return {
    name: { heading: "NAME", value: ({ name }) => name },
    size: { heading: "SIZE", value: ({ sizeBytes }) => humanSize(sizeBytes) },
    modified: { heading: "MODIFIED", value: ({ modifiedAt }) => humanAge(modifiedAt, nowMs) },
  };
}

export function artifactRmCommand(shell: Shell): Command {
  return verb(shell, {
    name: "rm",
    description: "Remove artifacts of a container",
    examples: ["artifact rm web report.txt"],
  })
    .argument("<container>", "name, id or id prefix")
    .argument("<name...>", "names of artifacts")
    .action(
      connected(shell, async (_client, container: string, names: string[]) => {
        const failures = await forEachTarget(shell, names, async (name) =>
          shell.mutate(
            async ({ api }, operationId) =>
              await api.artifacts.remove.mutate({ operationId, container, name }),
          ),
        );
        return exitCodeOf(failures);
      }),
    );
}
