import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { PodfleetError } from "@podfleet/model/errors";
import type { TerminalSize } from "@podfleet/model/exec";

/**
 * Tells the monitor that works in `bundle` the size of its terminal, over its control fifo: `1 HEIGHT WIDTH` and a newline.
 * @throws PodfleetError STATE_INVALID when there is no monitor any more
 */
export async function resizeTerminal(
  bundle: string,
  { height, width }: TerminalSize,
): Promise<void> {
  try {
    const control = await open(join(bundle, "ctl"), constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      await control.write(`1 ${height} ${width}\n`);
    } finally {
      await control.close();
    }
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENXIO", "EPIPE")) throw error;
    throw new PodfleetError("STATE_INVALID", "Cannot resize the terminal: its command has ended", {
      cause: error,
    });
  }
}
