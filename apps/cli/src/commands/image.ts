/** `podfleet image`. */
import { Readable } from "node:stream";

import { humanAge } from "@podfleet/base/human-duration";
import { PodfleetError } from "@podfleet/model/errors";
import { matchesImage } from "@podfleet/model/image";
import type { ImageLoadResult, ImageRecord } from "@podfleet/model/image";

import type { Command } from "../command.ts";
import { reportFailure } from "../failure.ts";
import { addListFlags, type ListFlags, listOptions } from "../flags/format.ts";
import { openInputFile } from "../flags/values.ts";
import { printJson } from "../output/output.ts";
import { listedImage } from "../output/podman-json.ts";
import { Progress } from "../output/progress.ts";
import { humanSize } from "../output/quantity.ts";
import { type Columns, printList } from "../output/table.ts";
import type { Shell } from "../shell.ts";
import { connected, verb } from "../verb.ts";

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
    .listOption("--host <name>", "load it on this host only; may be given more than once")
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

/** Prints a line for each image, as podman does, and an error for each host that failed. */
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

interface ImageListFlags extends ListFlags {
  readonly trunc: boolean;
}

/** A row of the list: an image under one of its names. */
interface NamedImage {
  readonly image: ImageRecord;
  readonly repository: string;
  readonly tag: string;
}

export function imageLsCommand(shell: Shell, name: "ls" | "images"): Command {
  const path = name === "ls" ? "image ls" : "images";
  const ls = verb(shell, {
    name,
    description: "List the images on the fleet's hosts",
    examples: [path, `${path} busybox`, `${path} --format repository,tag,hosts --noheading`],
  }).option("--no-trunc", "do not shorten ids");
  return addListFlags(ls)
    .argument("[image]", "list this image only, by name or id")
    .action(
      connected(shell, async (client, reference: string | undefined, flags: ImageListFlags) => {
        const all = await client.api.images.list.query();
        const images = all.filter((image) => !reference || matchesImage(reference, image));
        if (flags.format === "json") return await printJson(shell.stdout, images.map(listedImage));
        const rows = images.flatMap((image) => (flags.quiet ? [unnamed(image)] : byName(image)));
        await printList(shell.stdout, rows, {
          columns: imageColumns(Date.now(), flags.trunc),
          shown: ["repository", "tag", "id", "created", "size", "hosts"],
          json: ({ image }) => listedImage(image),
          options: listOptions(flags),
        });
      }),
    );
}

function byName(image: ImageRecord): NamedImage[] {
  if (image.names.length === 0) return [unnamed(image)];
  return image.names.map((name) => {
    const [, repository = name, tag = "<none>"] = /^([^@]+):([^:@/]+)$/.exec(name) ?? [];
    return { image, repository, tag };
  });
}

function unnamed(image: ImageRecord): NamedImage {
  return { image, repository: "<none>", tag: "<none>" };
}

function imageColumns(nowMs: number, truncate: boolean): Columns<NamedImage> {
  return {
    repository: { heading: "REPOSITORY", value: ({ repository }) => repository },
    tag: { heading: "TAG", value: ({ tag }) => tag },
    id: {
      heading: "IMAGE ID",
      value: ({ image }) => (truncate ? image.id.slice(7, 19) : image.id),
    },
    created: {
      heading: "CREATED",
      value: ({ image }) => (image.createdAt ? humanAge(image.createdAt, nowMs) : "N/A"),
    },
    size: { heading: "SIZE", value: ({ image }) => humanSize(image.sizeBytes) },
    layers: { heading: "LAYERS", value: ({ image }) => String(image.layers) },
    hosts: { heading: "HOSTS", value: ({ image }) => image.hosts.join(",") },
  };
}
