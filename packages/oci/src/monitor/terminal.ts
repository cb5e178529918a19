import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { PodfleetError } from "@podfleet/model/errors";
import type { TerminalSize } from "@podfleet/model/exec";

/**
 * conmon reads so much of its fifo at once, and of two sizes that it reads at once it drops the second. So each size fills a read.
 * Source: CTLBUFSZ in conmon's ctrl.c.
 */
const recordBytes = 199;
/** conmon ignores a larger size. */
const charactersMax = 1_000;

/**
 * Tells the monitor that works in `bundle` the size of its terminal, over the fifo for that: `HEIGHT WIDTH` and a newline. Of sizes that
 * are set one after the other the last one stays.
 * @throws PodfleetError STATE_INVALID when there is no monitor any more
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
