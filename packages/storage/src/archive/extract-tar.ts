import type { Readable } from "node:stream";

import { runCommand } from "@podfleet/oci/process/run-command";

/** Enough for a large layer on a slow disk. */
const timeoutMs = 30 * 60_000;

/**
 * Writes the files of the tar stream `input` into `directory`, with owners, modes and times as they are. tar refuses names
 * that lead out of it, and follows no symbolic link that it has written itself.
 * @param options further options of tar
 */
export async function extractTar(
  input: Readable,
  directory: string,
  options: readonly string[],
): Promise<void> {
  const target = ["--extract", "--file", "-", "--directory", directory];
  const exactly = ["--numeric-owner", "--same-owner", "--preserve-permissions", "--xattrs"];
  await runCommand("tar", [...target, ...exactly, ...options], {
    timeoutMs,
    spanName: "tar extract",
    input,
  });
}
