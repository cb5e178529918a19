import { posix } from "node:path";
import { Readable } from "node:stream";

import type { Client } from "@podfleet/client/client";
import { PodfleetError } from "@podfleet/model/errors";

import type { Command } from "../../command.ts";
import { findLocal, type Opened, openLocal, unpackLocal } from "../../copy/local-files.ts";
import { mapEntries } from "../../copy/map-entries.ts";
import {
  type Destination,
  isContents,
  parsePlace,
  type Place,
  targetOf,
} from "../../copy/paths.ts";
import { writeBytes } from "../../output/byte-output.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface CopyFlags {
  readonly archive: boolean;
}

type ContainerPlace = Extract<Place, { readonly type: "container" }>;

export function cpCommand(shell: Shell): Command {
  return verb(shell, {
    name: "cp",
    description:
      "Copy files from or to a container, or between containers. A source that ends with /. is the contents of a directory; - is a tar archive on standard input or output",
    examples: [
      "cp web:/etc/nginx ./nginx",
      "cp ./site/. web:/srv/www",
      "cp web:/var/log - | tar --list",
      "cp web:/data other:/data",
    ],
  })
    .option("--no-archive", "own copied files as the current user instead of keeping their owners")
    .argument("<source>", "CONTAINER:PATH, PATH or -")
    .argument("<destination>", "CONTAINER:PATH, PATH or -")
    .action(
      connected(shell, async (client, from: string, to: string, flags: CopyFlags) => {
        const [source, destination] = [parsePlace(from), parsePlace(to)];
        if (source.type !== "container" && destination.type !== "container") {
          throw new PodfleetError(
            "INVALID_INPUT",
            `Cannot copy ${JSON.stringify(from)} to ${JSON.stringify(to)}: one of them must be CONTAINER:PATH`,
          );
        }
        if (source.type === "stream") return await copyInput(client, destination);
        const opened = await open(client, source);
        if (destination.type === "stream") {
          const advice = { what: "an archive", instead: "name a file" };
          return await writeBytes(opened.archive, shell.stdout, advice);
        }
        await copy(client, opened, { destination, source, keepOwners: flags.archive });
      }),
    );
}

/** Unpacks an archive from standard input in a directory, unchanged. */
async function copyInput(client: Client, destination: Place): Promise<void> {
  if (destination.type !== "container") return;
  const archive: ReadableStream<Uint8Array> = Readable.toWeb(process.stdin);
  await client.files(destination.container).write(destination.path, archive);
}

async function open(client: Client, place: Exclude<Place, { type: "stream" }>): Promise<Opened> {
  if (place.type === "local") return await openLocal(place.path);
  const found = await find(client, place);
  if (!found.found) throw notFound(place);
  const name = isContents(place.path) ? "." : posix.basename(place.path) || ".";
  const archive = client.files(place.container).read(place.path);
  return { kind: found.found, name, root: name, archive };
}

interface Copy {
  readonly source: Place;
  readonly destination: Exclude<Place, { type: "stream" }>;
  readonly keepOwners: boolean;
}

async function copy(
  client: Client,
  { archive, root, ...opened }: Opened,
  { source, destination, keepOwners }: Copy,
): Promise<void> {
  const isLocal = destination.type === "local";
  const there = isLocal ? await findLocal(destination.path) : await find(client, destination);
  const { directory, name } = targetOf(opened, there);
  // Owners on this machine mean nothing in a container.
  const changes = { from: root, to: name, ownedByRoot: source.type === "local" };
  const isSame = root === name && !changes.ownedByRoot;
  const bytes = isSame ? archive : mapEntries(archive, changes);
  if (isLocal) return await unpackLocal(bytes, { directory, keepOwners });
  const stream: ReadableStream<Uint8Array> = Readable.toWeb(Readable.from(bytes));
  await client.files(destination.container).write(directory, stream);
}

async function find(client: Client, { container, path }: ContainerPlace): Promise<Destination> {
  const stat = await client.api.containers.stat.query({ container, path });
  if (!stat) return { path, found: undefined, resolved: path };
  const found = stat.kind === "directory" ? "directory" : "file";
  return { path, found, resolved: stat.path };
}

function notFound({ container, path }: ContainerPlace): PodfleetError {
  return new PodfleetError(
    "PATH_NOT_FOUND",
    `Cannot copy ${JSON.stringify(path)} from container ${JSON.stringify(container)}: nothing is at that path`,
    { details: { container, path } },
  );
}
