/**
 * The storage of containers: for each, a writable layer over the layers of its image, which containers share and never change.
 *
 *     <directory>/<id>/upper    the writable layer
 *     <directory>/<id>/work     work directory of the overlay file system
 *     <directory>/<id>/image    mount point for the image's layers alone, used for a moment
 *     <directory>/<id>/rootfs   mount point of the root filesystem: the writable layer over the image's
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

  /** Returns the path of the writable layer, an upper directory of the overlay file system. */
  writableLayer(id: ContainerId): string {
    return this.#upper(id);
  }

  /** Makes an empty writable layer; files that it has already stay. */
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
    // Relative to the layers' directory: the paths of 127 layers have to fit into one page of mount options.
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
   * Unmounts the root filesystem, if it is mounted. When a process of the host uses it, the mount leaves the mount table at once and
   * ends when that process lets go.
   */
  async unmountRootfs(id: ContainerId): Promise<void> {
    if (!this.isMounted(id)) return;
    const attributes = { "podfleet.container.id": id };
    await storing("unmount the container's root filesystem", async () => {
      await traced("umount overlay", attributes, async () => unmount(this.rootfsPath(id)));
    });
  }

  /**
   * Opens the root filesystem of the container's image, without the writable layer. The mount is in no mount table, and ends when the
   * file is closed.
   * @throws PodfleetError IMAGE_NOT_FOUND, STORAGE_FAILED
   */
  async openImage(id: ContainerId, imageId: ImageId): Promise<FileHandle> {
    const layers = this.#images.lowerDirectories(imageId);
    const base = this.#images.layersDirectory;
    const [only = ""] = layers;
    return await storing("mount the image's root filesystem", async () => {
      // An overlay has at least two layers.
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

  /** Unmounts and deletes the container's storage; does nothing when there is none. */
  async remove(id: ContainerId): Promise<void> {
    await this.unmountRootfs(id);
    await storing("delete the container's storage", async () => {
      // An engine that was killed in `openImage` leaves it mounted.
      if (this.#isMountPoint(id, this.#image(id))) unmount(this.#image(id));
      await rm(join(this.#directory, id), { recursive: true, force: true });
    });
  }

  /** Reads synchronously: two inodes that the kernel has in memory take less time than a turn of the thread pool. */
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

/** Finds the device number of the file system at `path`; each mounted overlay has its own. */
function deviceOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.dev;
}
