import type { Command } from "../../command.ts";
import { saveBytes, writeBytes } from "../../output/byte-output.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface ExportFlags {
  readonly output?: string;
}

export function exportCommand(shell: Shell): Command {
  return verb(shell, {
    name: "export",
    description: "Write a container's root filesystem as a tar archive",
    examples: ["export --output web.tar web", "export web | tar --list"],
  })
    .option("-o, --output <file>", "write it to a file instead of standard output")
    .argument("<container>", "name, id or id prefix")
    .action(
      connected(shell, async (client, container: string, { output }: ExportFlags) => {
        const archive = client.files(container).export();
        if (output !== undefined) return await saveBytes(archive, output);
        const advice = { what: "an archive", instead: "use --output" };
        await writeBytes(archive, shell.stdout, advice);
      }),
    );
}
