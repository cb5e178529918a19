/**
 * Image layers as directories that overlay mounts take as lower ones. A layer is known by its diff id, the digest of its
 * uncompressed tar stream, so images that share it share the directory. A layer never changes once it is here.
 *
 *     <directory>/<24 digits of the diff id>           the files
 *     <directory>/<24 digits of the diff id>.json      the whole diff id, and the tar stream's length
 *
 * Directory names are short because the names of all layers of a mount must fit into one page.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";

import { hasErrno } from "@podfleet/base/errno";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import { runCommand } from "@podfleet/oci/process/run-command";
import { z } from "zod";

import type { UnpackedFile } from "../archive/archive.ts";
import { extractTar } from "../archive/extract-tar.ts";
import { readDecompressed } from "../file/compression.ts";
import { writeDurably } from "../file/durable-file.ts";
import { convertWhiteouts } from "./layer-whiteouts.ts";

const recordSchema = z.object({ diffId: z.string(), sizeBytes: z.number().int().min(0) });
export type LayerRecord = z.infer<typeof recordSchema>;

const nameDigits = 24;

/** A layer without files, for an image without layers. */
export const emptyLayer = "empty";

export interface ArchivedLayer {
  readonly file: UnpackedFile;
  /** Digest of the uncompressed tar stream. */
  readonly diffId: string;
}

export class LayerStore {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(directory: string): Promise<LayerStore> {
    await mkdir(join(directory, emptyLayer), { recursive: true, mode: 0o755 });
    return new LayerStore(directory);
  }

  /** The layer's directory, relative to the store's. */
  name(diffId: string): string {
    return diffId.slice("sha256:".length).slice(0, nameDigits);
  }

  /**
   * Extracts the layer, unless it is here already. `staging` does not exist and is on the same file system.
   * @throws PodfleetError IMAGE_INVALID when it is damaged, has another digest, or reaches out of its directory
   */
  async ensure(layer: ArchivedLayer, staging: string): Promise<LayerRecord> {
    const { diffId, file } = layer;
    const known = await this.#find(diffId);
    if (known !== undefined) return known;
    await mkdir(staging, { mode: 0o755 });
    const sizeBytes = await extractLayer({ path: file.path, diffId, target: staging });
    const record = { diffId, sizeBytes };
    const target = join(this.directory, this.name(diffId));
    // A directory without its record is what a crash left between the two steps below.
    await rm(target, { recursive: true, force: true });
    await rename(staging, target);
    await writeDurably(this.#recordPath(diffId), JSON.stringify(record));
    return record;
  }

  #recordPath(diffId: string): string {
    return join(this.directory, `${this.name(diffId)}.json`);
  }

  async #find(diffId: string): Promise<LayerRecord | undefined> {
    let text: string;
    try {
      text = await readFile(this.#recordPath(diffId), "utf8");
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      throw error;
    }
    const record = recordSchema.parse(JSON.parse(text));
    if (record.diffId === diffId) return record;
    throw new PodfleetError(
      "STORAGE_FAILED",
      `Cannot store layer "${diffId}": "${record.diffId}" is stored under the same short name`,
    );
  }
}

interface Extraction {
  readonly path: string;
  readonly diffId: string;
  readonly target: string;
}

/** Returns the length of the tar stream. */
async function extractLayer({ path, diffId, target }: Extraction): Promise<number> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  let damage: unknown;
  const measured = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of await readDecompressed(path)) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        yield chunk;
      }
    } catch (error) {
      damage = error;
      throw error;
    }
  };
  try {
    await extractTar(Readable.from(measured()), target, [
      "--xattrs-include=*",
      "--xattrs-exclude=trusted.overlay.*",
    ]);
  } catch (error) {
    throw layerFailure(diffId, damage ?? error);
  }
  const digest = `sha256:${hash.digest("hex")}`;
  if (digest !== diffId) throw invalidLayer(diffId, `its digest is "${digest}"`);
  await convertWhiteouts(target);
  await syncFileSystem(target);
  return sizeBytes;
}

/** The host's own failures pass on; what is left is the archive's fault. */
function layerFailure(diffId: string, cause: unknown): unknown {
  if (cause instanceof Error && "syscall" in cause) return cause;
  if (hasCode(cause, "RUNTIME_TIMEOUT")) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const isHostFailure = /No space left|quota exceeded|Read-only file system|Input\/output error/;
  return isHostFailure.test(reason) ? cause : invalidLayer(diffId, reason, cause);
}

function invalidLayer(diffId: string, reason: string, cause?: unknown): PodfleetError {
  return new PodfleetError(
    "IMAGE_INVALID",
    `Cannot load the image archive: layer "${diffId}": ${reason}`,
    { cause },
  );
}

/** Nothing says that a layer is whole before its files are on the disk. */
async function syncFileSystem(path: string): Promise<void> {
  const args = ["--file-system", path];
  await runCommand("sync", args, { timeoutMs: 10 * 60_000, spanName: "sync file system" });
}
