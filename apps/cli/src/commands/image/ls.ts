import { humanAge } from "@podfleet/base/human-duration";
import { matchesImage } from "@podfleet/model/image";
import type { ImageRecord } from "@podfleet/model/image";

import type { Command } from "../../command.ts";
import { printJson } from "../../output/json.ts";
import { listedImage } from "../../output/podman-json.ts";
import { humanSize } from "../../output/quantity.ts";
import { printList } from "../../output/table.ts";
import type { Columns } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface ImageListFlags {
  readonly quiet: boolean;
  readonly trunc: boolean;
  readonly format?: string;
  readonly noheading: boolean;
}

/** An image under one of its names: a line of the list. */
interface NamedImage {
  readonly image: ImageRecord;
  readonly repository: string;
  readonly tag: string;
}

export function imageLsCommand(shell: Shell, name: "ls" | "images"): Command {
  const path = name === "ls" ? "image ls" : "images";
  return verb(shell, {
    name,
    description: "List the images that the fleet's hosts have loaded",
    examples: [path, `${path} busybox`, `${path} --format repository,tag,hosts --noheading`],
  })
    .option("-q, --quiet", "print ids only", false)
    .option("--no-trunc", "do not shorten ids")
    .option("--format <format>", "json, or a list of columns")
    .option("--noheading", "leave out the headings", false)
    .argument("[image]", "only this one, by name or id")
    .action(
      connected(shell, async (client, reference: string | undefined, flags: ImageListFlags) => {
        const all = await client.api.images.list.query();
        const images = all.filter((image) => !reference || matchesImage(reference, image));
        if (flags.format === "json") return await printJson(shell.stdout, images.map(listedImage));
        const lines = images.flatMap((image) => (flags.quiet ? [unnamed(image)] : byName(image)));
        await printList(shell.stdout, lines, {
          columns: imageColumns(Date.now(), flags.trunc),
          shown: ["repository", "tag", "id", "created", "size", "hosts"],
          json: ({ image }) => listedImage(image),
          options: flags.quiet ? { format: "id", noheading: true } : flags,
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
