/** Where a stream of bytes goes: a file that is there only when it is whole, or standard output. */
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

import { PodfleetError } from "@podfleet/model/errors";

import type { Output } from "./terminal.ts";

export async function saveBytes(bytes: AsyncIterable<Uint8Array>, file: string): Promise<void> {
  const fresh = `${file}.part`;
  try {
    await pipeline(bytes, createWriteStream(fresh, { mode: 0o644 }));
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

/** @throws PodfleetError INVALID_INPUT when it is a terminal */
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
