/** Writes a stream of bytes to a file or to standard output. */
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

import { PodfleetError } from "@podfleet/model/errors";

import type { Output } from "./output.ts";

/** Writes a file. It appears under its name when it is complete. */
export async function saveBytes(
  bytes: AsyncIterable<Uint8Array>,
  file: string,
  mode = 0o644,
): Promise<void> {
  const fresh = `${file}.part`;
  try {
    await pipeline(bytes, createWriteStream(fresh, { mode }));
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

/** @throws PodfleetError INVALID_INPUT when standard output is a terminal */
export async function writeBytes(
  bytes: AsyncIterable<Uint8Array>,
  output: Output,
  { what, instead }: { readonly what: string; readonly instead: string },
): Promise<void> {
  if (output.isTerminal) {
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot write ${what} to the terminal: ${instead}, or redirect standard output`,
    );
  }
  for await (const part of bytes) await output.write(part);
}
