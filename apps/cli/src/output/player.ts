/** Replays recorded output with its original pauses. */
import { systemClock } from "@podfleet/base/clock";
import type { Clock } from "@podfleet/base/clock";
import type { LogRecord } from "@podfleet/client/logs";

import type { LogWriter } from "./log-writer.ts";

export interface Pace {
  /** 2 is twice as fast; Infinity makes no pauses. */
  readonly speed: number;
  /** Longest pause, at any speed. */
  readonly idleMaxMs: number;
  readonly clock?: Clock;
}

/** Writes each record when it is due. Records that are due at the same time are written at once. */
export async function play(
  recording: AsyncIterable<readonly LogRecord[]>,
  writer: LogWriter,
  { speed, idleMaxMs, clock = systemClock }: Pace,
): Promise<void> {
  let dueMs = clock.nowMs();
  let recordedMs: number | undefined;
  for await (const records of recording) {
    let due: LogRecord[] = [];
    for (const record of records) {
      const timeMs = Date.parse(record.timestamp);
      dueMs += pauseMs(timeMs - (recordedMs ?? timeMs), { speed, idleMaxMs });
      recordedMs = timeMs;
      const waitMs = dueMs - clock.nowMs();
      if (waitMs > 0) {
        await writer.write(due);
        due = [];
        await clock.sleep(waitMs);
      }
      due.push(record);
    }
    await writer.write(due);
  }
}

/** A host's clock that was set back during the recording makes no pause. */
function pauseMs(recordedMs: number, { speed, idleMaxMs }: Omit<Pace, "clock">): number {
  return Math.min(Math.max(recordedMs, 0) / speed, idleMaxMs);
}
