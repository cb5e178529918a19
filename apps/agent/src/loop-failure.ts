import type { LoopFailure } from "@podfleet/base/loop";
import type { Logger } from "pino";

/** Logs a loop's failure: as a warning, and as an error when it lasts. */
export function logLoopFailure(log: Logger): (failure: LoopFailure) => void {
  return ({ name, error, failures }) => {
    const level = failures > 3 ? "error" : "warn";
    log[level]({ err: error, loop: name, failures }, "background work failed");
  };
}
