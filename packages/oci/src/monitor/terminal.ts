import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { PodfleetError } from "@podfleet/model/errors";
import type { TerminalSize } from "@podfleet/model/exec";

/**
 * Bytes that conmon reads from its fifo at once. It drops the second of two sizes in one read, so each size is padded to fill a read.
 * Source: CTLBUFSZ in conmon's ctrl.c.
 */
const recordBytes = 199;
/** The largest size that conmon takes. */
const charactersMax = 1_000;

/**
 * Sets the size of the terminal of the monitor that works in `bundle`: writes `HEIGHT WIDTH` and a newline to its fifo.
 * @throws PodfleetError STATE_INVALID when the monitor has ended
 */
export async function resizeTerminal(
  bundle: string,
  { height, width }: TerminalSize,
): Promise<void> {
  try {
    const fifo = await open(join(bundle, "winsz"), constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      await fifo.write(`${record(height, width)}\n`);
    } finally {
      await fifo.close();
    }
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENXIO", "EPIPE")) throw error;
    throw new PodfleetError("STATE_INVALID", "Cannot resize the terminal: its command has ended", {
      cause: error,
    });
  }
}

function record(height: number, width: number): string {
  const size = [height, width].map((length) => Math.min(length, charactersMax)).join(" ");
  return size.padEnd(recordBytes - 1);
}
