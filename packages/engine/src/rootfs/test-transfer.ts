/** For tests: streams from an engine, uploads to it, and what is in a tar archive. */
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";

import { type ContainerId, newOperationId } from "@podfleet/model/ids";
import type { OperationOutcome } from "@podfleet/model/operation";
import type { TransferRequest } from "@podfleet/model/transfer";
import { extract, type Header, pack } from "tar-stream";

import type { EngineUnderTest } from "../test-engine.ts";

const never = new AbortController().signal;

/** Reads a transfer to its end and closes it. */
export async function receive(
  { engine }: EngineUnderTest,
  request: TransferRequest,
): Promise<Buffer> {
  const { transferId } = await engine.openTransfer(request);
  const pieces: Uint8Array[] = [];
  try {
    for (let offset = 0, ended = false; !ended;) {
      const range = { offset, bytesMax: 512 * 1024 };
      const piece = await engine.readTransfer(transferId, range, never);
      pieces.push(piece.bytes);
      ({ next: offset, ended } = piece);
    }
  } finally {
    await engine.closeTransfer(transferId);
  }
  return Buffer.concat(pieces);
}

export interface TarEntry {
  readonly header: Header;
  readonly content: string;
}

/** The archive's entries by name. */
export async function entriesOf(archive: Buffer): Promise<Map<string, TarEntry>> {
  const entries = new Map<string, TarEntry>();
  const extraction = extract();
  Readable.from([archive]).pipe(extraction);
  for await (const entry of extraction) {
    const content = await text(entry as unknown as Readable);
    entries.set(entry.header.name, { header: entry.header, content });
  }
  return entries;
}

/** A tar archive of files with these contents; a header may say more. */
export async function archiveOf(
  files: Readonly<Record<string, string | Partial<Header>>>,
): Promise<Buffer> {
  const archive = pack();
  for (const [name, file] of Object.entries(files)) {
    if (typeof file === "string") archive.entry({ name }, file);
    else if (file.type) archive.entry({ name, ...file });
    else archive.entry({ name, ...file }, "");
  }
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

type Receiving =
  | { readonly verb: "container.copy"; readonly path: string }
  | {
      readonly verb: "artifact.add";
      readonly name: string;
    };

/** Uploads `bytes` and performs the operation that takes them. */
export async function send(
  under: EngineUnderTest,
  id: ContainerId,
  { bytes, ...verb }: Receiving & { readonly bytes: Uint8Array },
): Promise<OperationOutcome> {
  const uploadId = newOperationId();
  await under.engine.appendUploadChunk(uploadId, 0, bytes);
  return await under.perform(id, { ...verb, uploadId, sizeBytes: bytes.length });
}
