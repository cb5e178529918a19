/** Queries that only a container's host can answer. */
import { type ContainerRow, getContainer } from "@podfleet/db/containers";
import type { Artifact } from "@podfleet/model/artifact";
import type { ContainerProcess } from "@podfleet/model/container/usage";
import { PodfleetError } from "@podfleet/model/errors";
import type { TerminalSize } from "@podfleet/model/exec";
import { type FileChange, fileChangeSchema, type FileStat } from "@podfleet/model/file";
import type { TransferRequest } from "@podfleet/model/transfer";

import type { Fleet } from "./fleet.ts";
import { readTransfer } from "./transfer.ts";
import { unreachable } from "./unreachable.ts";

const timeoutMs = 5_000;
/** The bound of a reply: the host may have to wait for the container's lock, to mount its root filesystem. */
const mountTimeoutMs = 30_000;

/**
 * The file at a path in the container; null when there is none.
 * @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE, STATE_INVALID
 */
export async function statFile(
  fleet: Fleet,
  { container, path }: { readonly container: string; readonly path: string },
): Promise<FileStat | null> {
  const row = await getReachable(fleet, container);
  const call = { payload: { containerId: row.id, path }, timeoutMs: mountTimeoutMs };
  return (await fleet.hosts.request(row.host.id, "stat", call)).stat ?? null;
}

/** @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE, STATE_INVALID */
export async function resizeContainer(
  fleet: Fleet,
  { container, ...size }: { readonly container: string } & TerminalSize,
): Promise<void> {
  const row = await getReachable(fleet, container);
  const call = { payload: { containerId: row.id, size }, timeoutMs };
  await fleet.hosts.request(row.host.id, "container.resize", call);
}

/** @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE, STATE_INVALID */
export async function listProcesses(fleet: Fleet, container: string): Promise<ContainerProcess[]> {
  const row = await getReachable(fleet, container);
  const call = { payload: { containerId: row.id }, timeoutMs };
  return (await fleet.hosts.request(row.host.id, "top", call)).processes;
}

/** @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE, STATE_INVALID */
export async function listArtifacts(fleet: Fleet, container: string): Promise<Artifact[]> {
  const row = await getReachable(fleet, container);
  const call = { payload: { containerId: row.id }, timeoutMs };
  return (await fleet.hosts.request(row.host.id, "artifact.list", call)).artifacts;
}

const diffBytesMax = 64 * 1024 * 1024;

/** Lists the files that differ from the image, by path. */
export async function diffContainer(
  fleet: Fleet,
  container: string,
  signal: AbortSignal,
): Promise<FileChange[]> {
  const request = { kind: "diff" } as const;
  const bytes = await collect(fleet, { container, request, bytesMax: diffBytesMax, signal });
  const lines = bytes.toString("utf8").split("\n").filter(Boolean);
  return lines.map((line) => fileChangeSchema.parse(JSON.parse(line)));
}

/** The longest artifact that `getArtifact` returns; the HTTP route has no such bound. */
const artifactBytesMax = 4 * 1024 * 1024;

/** @throws PodfleetError ARTIFACT_NOT_FOUND; INVALID_INPUT when it is longer than 4 MiB */
export async function getArtifact(
  fleet: Fleet,
  { container, name }: { readonly container: string; readonly name: string },
  signal: AbortSignal,
): Promise<Uint8Array> {
  const request = { kind: "artifact", name } as const;
  return await collect(fleet, { container, request, bytesMax: artifactBytesMax, signal });
}

type TransferOf<Request> = Request extends TransferRequest ? Omit<Request, "containerId"> : never;

export interface ContainerTransfer {
  /** Name, id or id prefix. */
  readonly container: string;
  readonly request: TransferOf<TransferRequest>;
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal;
}

/** See `readTransfer`. */
export async function* readFromContainer(
  fleet: Fleet,
  { container, request, signal }: ContainerTransfer,
): AsyncGenerator<Uint8Array, void> {
  const { id, host } = await getContainer(fleet.database, container);
  yield* readTransfer(fleet, { host, request: { ...request, containerId: id }, signal });
}

async function collect(
  fleet: Fleet,
  { bytesMax, ...transfer }: ContainerTransfer & { readonly bytesMax: number },
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of readFromContainer(fleet, transfer)) {
    pieces.push(piece);
    length += piece.length;
    if (length > bytesMax) throw tooLong(transfer, bytesMax);
  }
  return Buffer.concat(pieces);
}

function tooLong({ container, request }: ContainerTransfer, bytesMax: number): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot return the ${request.kind} of container ${JSON.stringify(container)} at once: it is longer than ${bytesMax} bytes, download it`,
    { details: { container, bytesMax } },
  );
}

async function getReachable(fleet: Fleet, container: string): Promise<ContainerRow> {
  const row = await getContainer(fleet.database, container);
  if (row.host.state === "unreachable") throw unreachable(row.host);
  return row;
}
