/**
 * Image layers as directories: the lower ones of overlay mounts. A layer is named by its diff id, the digest of its uncompressed tar
 * stream, so images that share a layer share its directory. A stored layer never changes.
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

import { extractTar } from "../archive/extract-tar.ts";
import type { UnpackedFile } from "../archive/unpacked-archive.ts";
import { readDecompressed } from "../file/compression.ts";
import { writeDurably } from "../file/durable-file.ts";
import { convertWhiteouts } from "./layer-whiteouts.ts";

const recordSchema = z.object({ diffId: z.string(), sizeBytes: z.number().int().min(0) });
export type LayerRecord = z.infer<typeof recordSchema>;

const nameDigits = 24;

/** Name of a layer without files, for images without layers. */
export const emptyLayer = "empty";

export interface ArchivedLayer {
  readonly file: UnpackedFile;
  /** The digest of the uncompressed tar stream. */
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

  /** Returns the layer's directory, relative to the store's. */
  name(diffId: string): string {
    return diffId.slice("sha256:".length).slice(0, nameDigits);
  }

  /**
   * Extracts the layer, unless the store has it.
   * @param staging a path on the same file system where nothing exists
   * @throws PodfleetError IMAGE_INVALID when it is damaged, has another digest, or has entries that lead out of its directory
   */
  async ensure(layer: ArchivedLayer, staging: string): Promise<LayerRecord> {
    const { diffId, file } = layer;
    const known = await this.#find(diffId);
    if (known !== undefined) return known;
    await mkdir(staging, { mode: 0o755 });
    const sizeBytes = await extractLayer({ path: file.path, diffId, target: staging });
    const record = { diffId, sizeBytes };
    const target = join(this.directory, this.name(diffId));
    // A crash between the two steps below leaves a directory without its record.
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

/** Extracts the layer, and returns the length of its tar stream. */
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

/** Passes failures of the host on; any other is the archive's fault. */
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

/** Writes a layer's files to the disk, before a record says that it is whole. */
async function syncFileSystem(path: string): Promise<void> {
  const args = ["--file-system", path];
  await runCommand("sync", args, { timeoutMs: 10 * 60_000, spanName: "sync file system" });
}
