/** The flags of each command that opens a session. */
import { disconnectActions, onDisconnectSchema } from "@podfleet/model/session";
import type { SessionSpec } from "@podfleet/model/session";

import type { Command } from "../command.ts";
import { findDurationMs } from "./duration.ts";
import { flagError } from "./flag-error.ts";

export interface SessionFlags {
  readonly detachKeys?: string;
  readonly onDisconnect?: string;
}

export function addSessionFlags(command: Command): Command {
  return command
    .option("--detach-keys <keys>", "what a terminal's user types to leave it; empty: nothing")
    .option(
      "--on-disconnect <action>",
      "what becomes of the command when nobody has come back in time: keep, hangup or kill; kill:30s says the time, else it is 10m",
    );
}

/** @throws PodfleetError INVALID_INPUT that says what is allowed */
export function parseOnDisconnect(text: string): SessionSpec["onDisconnect"] {
  const [action = "", time, ...more] = text.split(":");
  const afterMs = time === undefined ? undefined : findDurationMs(time);
  const isComplete = (time === undefined || afterMs !== undefined) && more.length === 0;
  const parsed = onDisconnectSchema.safeParse({
    action,
    ...(afterMs === undefined ? {} : { afterSeconds: Math.ceil(afterMs / 1000) }),
  });
  if (parsed.success && isComplete) return parsed.data;
  const actions = disconnectActions.map((name) => `"${name}"`).join(", ");
  throw flagError(
    "--on-disconnect",
    text,
    `must be one of ${actions}, and may have a time of up to a year, such as "kill:30s"`,
  );
}
