/** Flags of the commands that open a session. */
import { disconnectActions, onDisconnectSchema } from "@podfleet/model/session";
import type { SessionSpec } from "@podfleet/model/session";

import type { Command } from "../command.ts";
import { getDetachKeys } from "../config.ts";
import type { Config } from "../config.ts";
import { findDurationMs } from "./quantities.ts";
import { flagError, quoted } from "./values.ts";

export interface SessionFlags {
  readonly detachKeys?: string;
  readonly onDisconnect?: string;
}

export interface SignalFlags {
  readonly sigProxy: boolean;
}

export interface SessionOptions {
  readonly detachKeys: string;
  readonly onDisconnect: SessionSpec["onDisconnect"];
}

export function addDetachKeysFlag(command: Command): Command {
  return command.option(
    "--detach-keys <keys>",
    "key sequence that detaches from a session; empty for none",
  );
}

export function addSessionFlags(command: Command): Command {
  return addDetachKeysFlag(command).option(
    "--on-disconnect <action>",
    "what happens to the command when the client does not come back: keep, hangup or kill, after 10m; kill:30s sets the time",
  );
}

export function addSignalFlag(command: Command): Command {
  return command.option("--no-sig-proxy", "do not forward signals to the command");
}

/** @param unattended what `--on-disconnect` defaults to */
export async function readSessionFlags(
  config: Config,
  flags: SessionFlags,
  unattended: SessionSpec["onDisconnect"]["action"] = "keep",
): Promise<SessionOptions> {
  return {
    detachKeys: await getDetachKeys(config, flags.detachKeys),
    onDisconnect: parseOnDisconnect(flags.onDisconnect ?? unattended),
  };
}

function parseOnDisconnect(text: string): SessionSpec["onDisconnect"] {
  const [action = "", time, ...more] = text.split(":");
  const afterMs = time === undefined ? undefined : findDurationMs(time);
  const isComplete = (time === undefined || afterMs !== undefined) && more.length === 0;
  const parsed = onDisconnectSchema.safeParse({
    action,
    ...(afterMs === undefined ? {} : { afterSeconds: Math.ceil(afterMs / 1000) }),
  });
  if (parsed.success && isComplete) return parsed.data;
  throw flagError(
    "--on-disconnect",
    text,
    `must be one of ${quoted(disconnectActions)}, and may have a time of up to a year, such as "kill:30s"`,
  );
}
