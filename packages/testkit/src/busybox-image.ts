/** The image that tests run, with a file that is no program. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type BusyboxImageOptions, makeBusyboxImage } from "../../../infra/busybox-image.ts";

const cache = join(tmpdir(), "podfleet-testkit");

export type BusyboxArchiveOptions = Pick<BusyboxImageOptions, "name" | "config">;

/** Path of the archive, in the format of `docker save`; equal options give the same file. */
export async function busyboxArchive(options: BusyboxArchiveOptions = {}): Promise<string> {
  const { name = "docker.io/library/busybox:latest", config } = options;
  const { bytes } = await makeBusyboxImage({ name, config: { ...config }, files });
  const digest = createHash("sha256").update(bytes).digest("hex");
  const archive = join(cache, `busybox-${digest.slice(0, 16)}.tar`);
  if (existsSync(archive)) return archive;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, "build-"));
  try {
    await writeFile(join(work, "archive.tar"), bytes);
    await rename(join(work, "archive.tar"), archive);
  } finally {
    await rm(work, { recursive: true });
  }
  return archive;
}

const files = { "etc/not-executable": "plain text\n" };
