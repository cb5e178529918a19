/**
 * Streams bytes from a host to a caller with back-pressure. Each piece is requested while the caller takes the one before, and
 * again when its reply is lost; at most two pieces are buffered. An agent that restarts has lost the stream.
 */
import { backoffMs } from "@podfleet/base/backoff";
import { pause } from "@podfleet/base/pause";
import type { TransferChunk } from "@podfleet/bus/host-client";
import type { HostLiveness } from "@podfleet/db/hosts";
import { isUnreachable, PodfleetError } from "@podfleet/model/errors";
import { hostSilenceMaxMs } from "@podfleet/model/host";
import type { TransferId, TransferRequest } from "@podfleet/model/transfer";
import { transferBytesMax } from "@podfleet/protocol/host/transfer";

import { cutShort, type Fleet } from "./fleet.ts";
import { isSilent, unreachable } from "./unreachable.ts";

export interface TransferOptions {
  readonly host: HostLiveness;
  readonly request: TransferRequest;
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal;
}

/** The bound of the first reply: the host may have to prepare the stream. */
const openTimeoutMs = 30_000;
/** The bound of a further reply: longer than the agent waits for a slow source. */
const readTimeoutMs = 15_000;
const closeTimeoutMs = 5_000;
const retryDelay = { minMs: 100, maxMs: 1_000 };

/**
 * Yields the stream piece by piece. The host is told at once when the reader stops early.
 * @throws PodfleetError the agent's refusal; HOST_UNREACHABLE; TRANSFER_NOT_FOUND when the agent has lost it; CANCELLED;
 *   UNAVAILABLE when this process is about to end
 */
export async function* readTransfer(
  fleet: Fleet,
  { host, request, signal: caller }: TransferOptions,
): AsyncGenerator<Uint8Array, void> {
  if (host.state === "unreachable") throw unreachable(host);
  const signal = AbortSignal.any([caller, fleet.draining]);
  const transfer = { host, transferId: await open(fleet, host, { request, signal }), signal };
  try {
    for (let coming = readAhead(fleet, transfer, 0); ;) {
      const { bytes, next, ended } = await coming;
      if (!ended) coming = readAhead(fleet, transfer, next);
      if (bytes.length > 0) yield bytes;
      if (ended) return;
    }
  } catch (error) {
    throw signal.aborted ? cutShort(fleet, error) : error;
  } finally {
    await close(fleet, transfer);
  }
}

interface OpenTransfer {
  readonly host: HostLiveness;
  readonly transferId: TransferId;
  readonly signal: AbortSignal;
}

async function open(
  fleet: Fleet,
  host: HostLiveness,
  { request, signal }: { readonly request: TransferRequest; readonly signal: AbortSignal },
): Promise<TransferId> {
  try {
    const opened = await fleet.watch.during(host, signal, async (watched) => {
      const call = { payload: request, timeoutMs: openTimeoutMs, signal: watched };
      return await fleet.hosts.request(host.id, "transfer.open", call);
    });
    if (opened.type === "done") return opened.value.transferId;
    throw opened.type === "silent" ? unreachable(host) : lost(host);
  } catch (error) {
    throw signal.aborted ? cutShort(fleet, error) : error;
  }
}

/** Requests the next piece while the caller takes the one before. */
function readAhead(fleet: Fleet, transfer: OpenTransfer, offset: number): Promise<TransferChunk> {
  const coming = readPiece(fleet, transfer, offset);
  // Safe to ignore: the next piece is awaited later, unless the caller is gone.
  coming.catch(() => undefined);
  return coming;
}

async function readPiece(
  fleet: Fleet,
  { host, transferId, signal }: OpenTransfer,
  offset: number,
): Promise<TransferChunk> {
  const deadlineMs = Date.now() + readTimeoutMs + hostSilenceMaxMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      const read = await fleet.watch.during(host, signal, async (watched) => {
        const piece = { transferId, offset, bytesMax: transferBytesMax };
        const limits = { timeoutMs: readTimeoutMs, signal: watched };
        return await fleet.hosts.readTransfer(host.id, piece, limits);
      });
      if (read.type === "done") return read.value;
      if (read.type === "silent") throw unreachable(host);
      throw lost(host);
    } catch (error) {
      const isOutage = isUnreachable(error) && !isSilent(error);
      if (!isOutage || signal.aborted || Date.now() > deadlineMs) throw error;
    }
    await pause(backoffMs(attempt, retryDelay), signal);
  }
}

async function close(fleet: Fleet, { host, transferId }: OpenTransfer): Promise<void> {
  try {
    const options = { payload: { transferId }, timeoutMs: closeTimeoutMs };
    await fleet.hosts.request(host.id, "transfer.close", options);
  } catch (error) {
    // Safe to ignore: an agent that cannot be reached drops a transfer that nobody reads.
    if (!(error instanceof PodfleetError)) throw error;
  }
}

function lost({ name }: HostLiveness): PodfleetError {
  return new PodfleetError(
    "TRANSFER_NOT_FOUND",
    `Cannot go on with the stream from host "${name}": its agent has restarted`,
    { details: { host: name } },
  );
}
