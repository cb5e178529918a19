import { Readable } from "node:stream";

import type { Command } from "../../command.ts";
import { openInputFile } from "../../flags/input-file.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

export function artifactAddCommand(shell: Shell): Command {
  return verb(shell, {
    name: "add",
    description: "Keep a file with a container, in the place of one of that name",
    examples: [
      "artifact add web report.txt ./report.txt",
      "date | podfleet artifact add web date -",
    ],
  })
    .argument("<container>", "name, id or id prefix")
    .argument("<name>", "the artifact's name")
    .argument("<file>", "what to keep; - for standard input")
    .action(
      connected(shell, async (client, container: string, name: string, file: string) => {
        const input = (): ReadableStream<Uint8Array> => Readable.toWeb(process.stdin);
        const bytes = file === "-" ? input() : await openInputFile("file", file);
        await client.files(container).writeArtifact(name, bytes);
        await shell.stdout.print(name);
      }),
    );
}
