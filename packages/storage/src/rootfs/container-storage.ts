/**
 * What a container keeps on disk: a writable layer of its own over its image's layers, which it shares with others and never
 * changes.
 *
 *     <directory>/<id>/upper    the writable layer
 *     <directory>/<id>/work     the overlay file system's own
 *     <directory>/<id>/image    where the image's layers are mounted alone, for a moment
 *     <directory>/<id>/rootfs   where both and the image's layers are mounted as one
 */
import { constants, statSync } from "node:fs";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join, relative } from "node:path";

import type { ContainerId, ImageId } from "@podfleet/model/ids";
import { mountOverlay, unmount } from "@podfleet/oci/process/mount";
import { traced } from "@podfleet/oci/process/trace";

import { storing } from "../file/storage-failure.ts";
import type { ImageStore } from "../image/image-store.ts";

export class ContainerStorage {
  readonly #directory: string;
  readonly #images: ImageStore;

  constructor(directory: string, images: ImageStore) {
    this.#directory = directory;
    this.#images = images;
  }

  rootfsPath(id: ContainerId): string {
    return join(this.#directory, id, "rootfs");
  }

  /** What the container has changed in its image's root filesystem, in the form of an overlay's upper directory. */
  writableLayer(id: ContainerId): string {
    return this.#upper(id);
  }

  /** Makes an empty writable layer; what there is already stays. */
  async create(id: ContainerId): Promise<void> {
    await storing("create the container's storage", async () => {
      await mkdir(this.#upper(id), { recursive: true, mode: 0o755 });
      await mkdir(this.#work(id), { recursive: true, mode: 0o700 });
      await mkdir(this.rootfsPath(id), { recursive: true, mode: 0o700 });
    });
  }

  /**
   * Mounts the root filesystem, unless it is mounted, and returns its path.
   * @throws PodfleetError IMAGE_NOT_FOUND, STORAGE_FAILED
   */
  async mountRootfs(id: ContainerId, imageId: ImageId): Promise<string> {
    const rootfs = this.rootfsPath(id);
    if (this.isMounted(id)) return rootfs;
    // Paths relative to the layers: those of 127 layers have to fit into one page of mount options.
    const base = this.#images.layersDirectory;
    const options = [
      `lowerdir=${this.#images.lowerDirectories(imageId).join(":")}`,
      `upperdir=${relative(base, this.#upper(id))}`,
      `workdir=${relative(base, this.#work(id))}`,
    ];
    const attributes = { "podfleet.container.id": id };
    await storing("mount the container's root filesystem", async () => {
      await traced("mount overlay", attributes, async () => {
        mountOverlay({ base, rootfs, options: options.join(",") });
      });
    });
    return rootfs;
  }

  /**
   * Unmounts the root filesystem, if it is mounted. Where a process of the host still uses it, it is taken out of the
   * mount table at once and goes when that process lets go.
   */
  async unmountRootfs(id: ContainerId): Promise<void> {
    if (!this.isMounted(id)) return;
    const attributes = { "podfleet.container.id": id };
    await storing("unmount the container's root filesystem", async () => {
      await traced("umount overlay", attributes, async () => unmount(this.rootfsPath(id)));
    });
  }

  /**
   * Opens the root filesystem of the container's image as it is without the writable layer. It goes when it is closed: it is in
   * no mount table.
   * @throws PodfleetError IMAGE_NOT_FOUND, STORAGE_FAILED
   */
  async openImage(id: ContainerId, imageId: ImageId): Promise<FileHandle> {
    const layers = this.#images.lowerDirectories(imageId);
    const base = this.#images.layersDirectory;
    const [only = ""] = layers;
    return await storing("mount the image's root filesystem", async () => {
      // An overlay is of two layers at least.
      if (layers.length === 1) return await open(join(base, only), constants.O_DIRECTORY);
      const rootfs = this.#image(id);
      await mkdir(rootfs, { recursive: true, mode: 0o700 });
      mountOverlay({ base, rootfs, options: `lowerdir=${layers.join(":")}` });
      const opened = await open(rootfs, constants.O_DIRECTORY);
      unmount(rootfs);
      return opened;
    });
  }

  isMounted(id: ContainerId): boolean {
    return this.#isMountPoint(id, this.rootfsPath(id));
  }

  /** Unmounts and deletes all that the container has on disk; harmless when there is nothing. */
  async remove(id: ContainerId): Promise<void> {
    await this.unmountRootfs(id);
    await storing("delete the container's storage", async () => {
      // Left there by an engine that was killed in that moment.
      if (this.#isMountPoint(id, this.#image(id))) unmount(this.#image(id));
      await rm(join(this.#directory, id), { recursive: true, force: true });
    });
  }

  /** Asked in place: two inodes that the kernel holds in memory take less than a turn of the thread pool. */
  #isMountPoint(id: ContainerId, path: string): boolean {
    const mounted = deviceOf(path);
    return mounted !== undefined && mounted !== deviceOf(join(this.#directory, id));
  }

  #image(id: ContainerId): string {
    return join(this.#directory, id, "image");
  }

  #upper(id: ContainerId): string {
    return join(this.#directory, id, "upper");
  }

  #work(id: ContainerId): string {
    return join(this.#directory, id, "work");
  }
}

/** A mounted overlay has a device number of its own. */
function deviceOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.dev;
}
