import type { LoopFailure } from "@podfleet/base/loop";
import type { Logger } from "pino";

/** Logs what a loop failed with: a warning, and an error when it lasts. */
export function logLoopFailure(log: Logger): (failure: LoopFailure) => void {
  return ({ name, error, failures }) => {
    const level = failures > 3 ? "error" : "warn";
    log[level]({ err: error, loop: name, failures }, "background work failed");
  };
}
