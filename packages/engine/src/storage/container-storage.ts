/**
 * What a container keeps on disk: a writable layer of its own over its image's layers, which it shares with others and never
 * changes.
 *
 *     <directory>/<id>/upper    the writable layer
 *     <directory>/<id>/work     the overlay file system's own
 *     <directory>/<id>/rootfs   where both and the image's layers are mounted as one
 */
import { mkdir, rm, stat } from "node:fs/promises";
import { join, relative } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { hasCode } from "@podfleet/model/errors";
import type { ContainerId, ImageId } from "@podfleet/model/ids";

import { findTool, runCommand } from "../oci/run-command.ts";
import type { ImageStore } from "./image-store.ts";
import { storing } from "./storage-failure.ts";

const timeoutMs = 30_000;

export class ContainerStorage {
  readonly #directory: string;
  readonly #images: ImageStore;
  readonly #mount = findTool("mount");
  readonly #umount = findTool("umount");

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
    if (await this.isMounted(id)) return rootfs;
    // Paths relative to the layers: those of 127 layers have to fit into one page of mount options.
    const base = this.#images.layersDirectory;
    const options = [
      `lowerdir=${this.#images.lowerDirectories(imageId).join(":")}`,
      `upperdir=${relative(base, this.#upper(id))}`,
      `workdir=${relative(base, this.#work(id))}`,
    ];
    await storing("mount the container's root filesystem", async () => {
      await runCommand(
        this.#mount,
        ["--types", "overlay", "--options", options.join(","), "overlay", rootfs],
        { timeoutMs, spanName: "mount overlay", attributes: spanAttributes(id), cwd: base },
      );
    });
    return rootfs;
  }

  /**
   * Unmounts the root filesystem, if it is mounted. Where a process of the host still uses it, it is taken out of the
   * mount table at once and goes when that process lets go.
   */
  async unmountRootfs(id: ContainerId): Promise<void> {
    if (!(await this.isMounted(id))) return;
    const rootfs = this.rootfsPath(id);
    const options = { timeoutMs, spanName: "umount overlay", attributes: spanAttributes(id) };
    await storing("unmount the container's root filesystem", async () => {
      try {
        await runCommand(this.#umount, [rootfs], options);
      } catch (error) {
        if (!hasCode(error, "RUNTIME_FAILED")) throw error;
        await runCommand(this.#umount, ["--lazy", rootfs], options);
      }
    });
  }

  async isMounted(id: ContainerId): Promise<boolean> {
    const [rootfs, parent] = await Promise.all([
      deviceOf(this.rootfsPath(id)),
      deviceOf(join(this.#directory, id)),
    ]);
    return rootfs !== undefined && rootfs !== parent;
  }

  /** Unmounts and deletes all that the container has on disk; harmless when there is nothing. */
  async remove(id: ContainerId): Promise<void> {
    await this.unmountRootfs(id);
    await storing("delete the container's storage", async () => {
      await rm(join(this.#directory, id), { recursive: true, force: true });
    });
  }

  #upper(id: ContainerId): string {
    return join(this.#directory, id, "upper");
  }

  #work(id: ContainerId): string {
    return join(this.#directory, id, "work");
  }
}

function spanAttributes(id: ContainerId): { "podfleet.container.id": string } {
  return { "podfleet.container.id": id };
}

/** A mounted overlay has a device number of its own. */
async function deviceOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).dev;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
