import type { Command } from "../../command.ts";
import { parseDurationMs } from "../../flags/quantities.ts";
import { flagError } from "../../flags/values.ts";
import { gapWarning, LogWriter } from "../../output/log-writer.ts";
import { play } from "../../output/player.ts";
import type { Shell } from "../../shell.ts";
import { screenReset } from "../../terminal/screen.ts";
import { connected, verb } from "../../verb.ts";
import { findSession, type ListedSession } from "./find-session.ts";

interface ReplayFlags {
  readonly speed: string;
  readonly idleTimeLimit?: string;
  readonly wait: boolean;
}

export function sessionReplayCommand(shell: Shell): Command {
  return verb(shell, {
    name: "replay",
    description: "Replay the output of a session with its original pauses",
    examples: [
      "session replay 01936f2e-7b1c-7cc3-98c4-dc0c0c07398f",
      "session replay --speed 4 --idle-time-limit 2s 01936f2e-7b1c",
      "session replay --no-wait 01936f2e-7b1c > session.txt",
    ],
  })
    .option("-s, --speed <factor>", "playback speed; 2 is twice as fast", "1")
    .option("-i, --idle-time-limit <duration>", "longest pause")
    .option("--no-wait", "do not pause")
    .argument("<session>", "id or id prefix")
    .action(
      connected(shell, async (client, reference: string, flags: ReplayFlags) => {
        const pace = { speed: parseSpeed(flags), idleMaxMs: parseIdleTimeLimit(flags) };
        const session = await findSession(client, reference);
        const { containerId: container, containerName: name = container } = session;
        const onGap = gapWarning(shell.stderr, name);
        const request = { ...recordingOf(session), container, onGap };
        const recording = client.followLogChunks(request, { whenDown: "fail" });
        await play(recording, new LogWriter(shell), pace);
        if (session.tty && shell.stdout.isTerminal) await shell.stdout.write(screenReset);
      }),
    );
}

/** A session from the first byte on replays all output, others what was written while they were open. */
function recordingOf({ spec, openedAt, endedAt }: ListedSession) {
  return {
    ...(spec.execId === undefined ? {} : { exec: spec.execId }),
    ...(spec.from === "start" ? {} : { since: openedAt }),
    ...(endedAt === undefined ? {} : { until: endedAt }),
  };
}

function parseSpeed({ speed: text, wait }: ReplayFlags): number {
  const speed = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && speed > 0) return wait ? speed : Infinity;
  throw flagError("--speed", text, "must be a number over 0, such as 2 or 0.5");
}

function parseIdleTimeLimit({ idleTimeLimit: text }: ReplayFlags): number {
  return text === undefined ? Infinity : parseDurationMs("--idle-time-limit", text);
}
