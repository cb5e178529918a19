import { readFileSync, rmSync, writeFileSync } from "node:fs";

import { hasErrno } from "@podfleet/base/errno";

import { SetUpFailure } from "./failure.mjs";
import { startTicksOf } from "./process-table.ts";

/** Outside the folder that `npm stop` deletes. */
const lockPath = "/run/podfleet.lock";

/** Runs `work` with the lock of this machine's set-up. @throws SetUpFailure while another set-up runs */
export async function withSetUpLock(work: () => Promise<void>): Promise<void> {
  acquire();
  try {
    await work();
  } finally {
    rmSync(lockPath, { force: true });
  }
}

function acquire(): void {
  const own = `${process.pid} ${startTicksOf(process.pid)}`;
  try {
    writeFileSync(lockPath, own, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw error;
    const [pid, startTicks] = readFileSync(lockPath, "utf8").split(" ");
    if (startTicksOf(Number(pid)) === startTicks) {
      throw new SetUpFailure(
        `Another set-up (process ${pid}) is running: wait until it has ended, then run the command again`,
      );
    }
    writeFileSync(lockPath, own, { mode: 0o600 });
  }
}
