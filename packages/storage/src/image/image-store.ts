/**
 * The images of a host.
 *
 *     <directory>/uploads/     archives that are being received, also those of checkpoints, files and artifacts
 *     <directory>/staging/     archives and layers that are being unpacked; removed at start
 *     <directory>/layers/      see layer-store.ts
 *     <directory>/records/     the record of each image, with its configuration as it was in the archive
 *
 * An image exists once its record does. The record is written last, so a load that is cut off leaves at most whole layers.
 */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import type { Clock } from "@podfleet/base/clock";
import { PodfleetError } from "@podfleet/model/errors";
import type { ImageId, OperationId } from "@podfleet/model/ids";
import { fullImageName, type Image, imageSchema, matchesImage } from "@podfleet/model/image";
import { type ImageConfig, parseImageConfig } from "@podfleet/model/image-config";
import pLimit from "p-limit";
import { z } from "zod";

import { UnpackedArchive } from "../archive/unpacked-archive.ts";
import { writeDurably } from "../file/durable-file.ts";
import { storing } from "../file/storage-failure.ts";
import { emptyLayer, LayerStore } from "../layer/layer-store.ts";
import { Uploads } from "../upload/uploads.ts";
import { type ArchivedImage, readArchivedImages } from "./image-archive.ts";

const recordSchema = z.object({ image: imageSchema, configText: z.string() });

interface StoredImage {
  readonly image: Image;
  readonly configText: string;
  readonly config: ImageConfig;
}

export class ImageStore {
  readonly uploads: Uploads;
  readonly #records: string;
  readonly #staging: string;
  readonly #layers: LayerStore;
  readonly #loads = pLimit(1);
  readonly #images = new Map<ImageId, StoredImage>();

  private constructor(
    directories: { readonly records: string; readonly staging: string },
    layers: LayerStore,
    uploads: Uploads,
  ) {
    this.#records = directories.records;
    this.#staging = directories.staging;
    this.#layers = layers;
    this.uploads = uploads;
  }

  /** Opens the store, which has to be the only one in its directory. */
  static async open(directory: string, clock: Clock): Promise<ImageStore> {
    return await storing("open the image store", async () => {
      const records = join(directory, "records");
      const staging = join(directory, "staging");
      await rm(staging, { recursive: true, force: true });
      await mkdir(records, { recursive: true, mode: 0o700 });
      const layers = await LayerStore.open(join(directory, "layers"));
      const uploads = await Uploads.open(join(directory, "uploads"), clock);
      const store = new ImageStore({ records, staging }, layers, uploads);
      await store.#readRecords();
      return store;
    });
  }

  /**
   * Loads the images of an uploaded archive; the upload stays. An image that the store has already gets the archive's names; a name
   * that another image has moves to the loaded one.
   * @throws PodfleetError INVALID_INPUT when the upload has not `sizeBytes`; IMAGE_INVALID; STORAGE_FAILED
   */
  async load(uploadId: OperationId, sizeBytes: number): Promise<Image[]> {
    return await this.#loads(async () => {
      return await storing("load the image archive", async () => {
        const length = await this.uploads.length(uploadId);
        if (length !== sizeBytes) throw incomplete(uploadId, length, sizeBytes);
        return await this.#loadArchive(this.uploads.path(uploadId));
      });
    });
  }

  list(): Image[] {
    return Array.from(this.#images.values(), ({ image }) => image);
  }

  /** Finds an image by id, by a prefix of it, by full name or by short name; a full name goes before a short one. */
  find(reference: string): Image | undefined {
    const images = this.list();
    const full = fullImageName(reference);
    return (
      images.find((image) => image.names.includes(full)) ??
      images.find((image) => matchesImage(reference, image))
    );
  }

  /** @throws PodfleetError IMAGE_NOT_FOUND */
  config(imageId: ImageId): ImageConfig {
    return this.#get(imageId).config;
  }

  /** The directory that `lowerDirectories` are relative to. */
  get layersDirectory(): string {
    return this.#layers.directory;
  }

  /**
   * Lists the image's layers for an overlay mount, the highest first. A layer that an image has more than once (mostly an empty one)
   * is listed where it is highest: there it decides on all its files, and the kernel refuses it a second time.
   * @throws PodfleetError IMAGE_NOT_FOUND
   */
  lowerDirectories(imageId: ImageId): string[] {
    const { diffIds } = this.#get(imageId).config;
    const names = new Set(diffIds.toReversed().map((diffId) => this.#layers.name(diffId)));
    return names.size > 0 ? [...names] : [emptyLayer];
  }

  #get(imageId: ImageId): StoredImage {
    const stored = this.#images.get(imageId);
    if (stored !== undefined) return stored;
    throw new PodfleetError("IMAGE_NOT_FOUND", `Image "${imageId}" is not loaded on the host`);
  }

  async #loadArchive(path: string): Promise<Image[]> {
    await mkdir(this.#staging, { mode: 0o700 });
    try {
      const blobs = join(this.#staging, "blobs");
      await mkdir(blobs);
      const archive = await UnpackedArchive.unpack(path, blobs);
      const images: Image[] = [];
      for (const image of await readArchivedImages(archive, ociArchitecture(process.arch))) {
        images.push(await this.#takeIn(image));
      }
      return images;
    } finally {
      await rm(this.#staging, { recursive: true, force: true });
    }
  }

  async #takeIn({ id, names, config, configText, layers }: ArchivedImage): Promise<Image> {
    let sizeBytes = 0;
    for (const layer of layers) {
      const record = await this.#layers.ensure(layer, join(this.#staging, "layer"));
      sizeBytes += record.sizeBytes;
    }
    const known = this.#images.get(id)?.image.names ?? [];
    const createdAt = timestampOf(config.createdAt);
    const image: Image = {
      id,
      names: [...new Set([...known, ...names])],
      sizeBytes,
      layers: layers.length,
      ...(createdAt === undefined ? {} : { createdAt }),
    };
    await this.#save({ image, configText, config });
    await this.#takeNames(names, id);
    return image;
  }

  /** Removes `names` from all images but `owner`. */
  async #takeNames(names: readonly string[], owner: ImageId): Promise<void> {
    for (const stored of this.#images.values()) {
      const left = stored.image.names.filter((name) => !names.includes(name));
      if (stored.image.id === owner || left.length === stored.image.names.length) continue;
      await this.#save({ ...stored, image: { ...stored.image, names: left } });
    }
  }

  async #save(stored: StoredImage): Promise<void> {
    const { image, configText } = stored;
    const path = join(this.#records, `${image.id.slice("sha256:".length)}.json`);
    await writeDurably(path, JSON.stringify({ image, configText }));
    this.#images.set(image.id, stored);
  }

  async #readRecords(): Promise<void> {
    const names = await readdir(this.#records);
    for (const name of names.filter((file) => file.endsWith(".json"))) {
      const text = await readFile(join(this.#records, name), "utf8");
      const record = recordSchema.parse(JSON.parse(text));
      this.#images.set(record.image.id, { ...record, config: parseImageConfig(record.configText) });
    }
  }
}

function incomplete(uploadId: OperationId, length: number, sizeBytes: number): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot load upload "${uploadId}": the host holds ${length} of ${sizeBytes} bytes`,
    { details: { field: "uploadId", length, sizeBytes } },
  );
}

function timestampOf(text: string | undefined): string | undefined {
  const time = new Date(text ?? Number.NaN);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

/** Translates Node's name of an architecture into Go's, which the OCI image spec uses. */
function ociArchitecture(nodeArchitecture: string): string {
  return nodeArchitecture === "x64" ? "amd64" : nodeArchitecture;
}
