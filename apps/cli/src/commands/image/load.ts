import { Readable } from "node:stream";

import { PodfleetError } from "@podfleet/model/errors";
import type { ImageLoadResult } from "@podfleet/model/image";

import type { Command } from "../../command.ts";
import { reportFailure } from "../../failure.ts";
import { openInputFile } from "../../flags/input-file.ts";
import { Progress } from "../../output/progress.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface LoadFlags {
  readonly input?: string;
  readonly quiet: boolean;
  readonly host: readonly string[];
}

export function imageLoadCommand(shell: Shell): Command {
  return verb(shell, {
    name: "load",
    description: "Load an image archive (OCI or Docker, plain or gzip) on the fleet's hosts",
    examples: [
      "image load --input busybox.tar",
      "image load --host host-1 --host host-2 -i app.tar.gz",
      "image load < busybox.tar",
    ],
  })
    .option("-i, --input <file>", "read the archive from a file instead of standard input")
    .option("-q, --quiet", "do not show progress", false)
    .option(
      "--host <name>",
      "load it on this host only; may be given more than once",
      (value: string, all: string[]) => [...all, value],
      [],
    )
    .action(
      connected(shell, async (client, flags: LoadFlags) => {
        const archive = await openArchive(flags.input);
        const label = `Loading ${flags.input ?? "standard input"}`;
        const progress = new Progress(shell.stderr, { label, ...archive.size });
        const shown = flags.quiet ? undefined : progress;
        await shown?.begin();
        let result: ImageLoadResult | undefined;
        try {
          result = await client.loadImage(archive.bytes, {
            hosts: flags.host,
            onProgress: (bytes) => shown?.update(bytes),
          });
        } finally {
          await shown?.end(result !== undefined);
        }
        return await report(shell, result);
      }),
    );
}

/** podman's lines for the images, and an error for each host that has not loaded them. */
async function report(shell: Shell, result: ImageLoadResult): Promise<number> {
  let exitCode = 0;
  for (const image of result.images) {
    const names = image.names.length > 0 ? image.names : [image.id];
    for (const name of names) await shell.stdout.print(`Loaded image: ${name}`);
  }
  for (const { name, error } of result.hosts) {
    if (!error) continue;
    const { code, message, details } = error;
    exitCode = await reportFailure(
      shell,
      new PodfleetError(code, `Host "${name}": ${message}`, details ? { details } : {}),
    );
  }
  return exitCode;
}

interface Archive {
  readonly bytes: Blob | ReadableStream<Uint8Array>;
  readonly size: { readonly total?: number };
}

async function openArchive(path: string | undefined): Promise<Archive> {
  if (path !== undefined) {
    const bytes = await openInputFile("--input", path);
    return { bytes, size: { total: bytes.size } };
  }
  if (process.stdin.isTTY) {
    throw new PodfleetError(
      "INVALID_INPUT",
      "Cannot read an image archive from the terminal: use --input, or redirect standard input",
    );
  }
  return { bytes: Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>, size: {} };
}
