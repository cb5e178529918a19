import type { Command } from "../../command.ts";
import { saveBytes, writeBytes } from "../../output/byte-output.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface GetFlags {
  readonly output?: string;
}

export function artifactGetCommand(shell: Shell): Command {
  return verb(shell, {
    name: "get",
    description: "Write an artifact of a container to a file or to standard output",
    examples: ["artifact get --output report.txt web report.txt", "artifact get web date | cat"],
  })
    .option("-o, --output <file>", "write it to a file instead of standard output")
    .argument("<container>", "name, id or id prefix")
    .argument("<name>", "the artifact's name")
    .action(
      connected(shell, async (client, container: string, name: string, { output }: GetFlags) => {
        const bytes = client.files(container).readArtifact(name);
        if (output !== undefined) return await saveBytes(bytes, output);
        const advice = { what: "an artifact", instead: "use --output" };
        await writeBytes(bytes, shell.stdout, advice);
      }),
    );
}
