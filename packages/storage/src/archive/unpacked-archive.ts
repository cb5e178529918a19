/** An image archive (a tar stream) unpacked into plain files. Names from the archive never reach the file system. */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { dirname, join } from "node:path/posix";
import { pipeline } from "node:stream/promises";

import { PodfleetError } from "@podfleet/model/errors";
import { type Extract, extract } from "tar-stream";

import { readDecompressed } from "../file/compression.ts";

export interface UnpackedFile {
  /** The name in the archive. */
  readonly name: string;
  /** The path on the host. */
  readonly path: string;
  readonly sizeBytes: number;
  /** `sha256:` and hex digits. */
  readonly digest: string;
}

type Entry = Extract extends AsyncIterable<infer Item> ? Item : never;

const entriesMax = 20_000;
const linksMax = 8;

export class UnpackedArchive {
  readonly #files = new Map<string, UnpackedFile>();
  /** Links by name: older `docker save` writes a layer that two images share once, and links to it. */
  readonly #links = new Map<string, string>();

  /**
   * Unpacks the file at `path`, a tar stream, plain or compressed, into the existing, empty `directory`.
   * @throws PodfleetError IMAGE_INVALID when it is not a whole tar stream
   */
  static async unpack(path: string, directory: string): Promise<UnpackedArchive> {
    const unpacked = new UnpackedArchive();
    const entries = extract();
    const feeding = pipeline(await readDecompressed(path), entries);
    const [fed, taken] = await Promise.allSettled([feeding, unpacked.#takeAll(entries, directory)]);
    if (fed.status === "rejected" || taken.status === "rejected") throw unpackFailure(fed, taken);
    return unpacked;
  }

  has(name: string): boolean {
    return this.#files.has(name) || this.#links.has(name);
  }

  /** @throws PodfleetError IMAGE_INVALID when the archive has no such file */
  get(name: string): UnpackedFile {
    let target = name;
    for (let links = 0; links <= linksMax; links += 1) {
      const file = this.#files.get(target);
      if (file !== undefined) return file;
      target = this.#links.get(target) ?? "";
    }
    throw new PodfleetError("IMAGE_INVALID", `Cannot load the image archive: it lacks "${name}"`);
  }

  async #takeAll(entries: AsyncIterable<Entry>, directory: string): Promise<void> {
    let count = 0;
    for await (const entry of entries) {
      count += 1;
      if (count > entriesMax) throw new Error(`it has more than ${entriesMax} entries`);
      await this.#take(entry, join(directory, String(count)));
    }
  }

  async #take(entry: Entry, path: string): Promise<void> {
    const { type, linkname } = entry.header;
    const name = join("/", entry.header.name).slice(1);
    if (type === "file" || type === "contiguous-file") {
      const hash = createHash("sha256");
      let sizeBytes = 0;
      const measured = async function* (): AsyncGenerator<Uint8Array> {
        for await (const chunk of entry as AsyncIterable<Uint8Array>) {
          hash.update(chunk);
          sizeBytes += chunk.length;
          yield chunk;
        }
      };
      await pipeline(measured(), createWriteStream(path, { mode: 0o600 }));
      this.#files.set(name, { name, path, sizeBytes, digest: `sha256:${hash.digest("hex")}` });
      return;
    }
    if (type === "symlink" && linkname) this.#links.set(name, join(dirname(name), linkname));
    if (type === "link" && linkname) this.#links.set(name, join("/", linkname).slice(1));
    entry.resume();
  }
}

/** Picks the first cause: when one side fails, the other is cut off with an error of its own. */
function unpackFailure(...results: PromiseSettledResult<void>[]): unknown {
  const reasons = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason as unknown] : [],
  );
  const cause = reasons.find((reason) => !isCutOff(reason)) ?? reasons[0];
  if (cause instanceof Error && "syscall" in cause) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PodfleetError(
    "IMAGE_INVALID",
    `Cannot load the image archive: it is not a whole tar archive: ${reason}`,
    { cause },
  );
}

function isCutOff(reason: unknown): boolean {
  return reason instanceof Error && /premature|closed/i.test(reason.message);
}
