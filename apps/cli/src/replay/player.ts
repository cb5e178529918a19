/** Output that was recorded, shown again with the pauses between its pieces. */
import { systemClock } from "@podfleet/base/clock";
import type { Clock } from "@podfleet/base/clock";
import type { LogRecord } from "@podfleet/client/logs";

import type { LogWriter } from "../attached/log-writer.ts";

export interface Pace {
  /** 2 is twice as fast; Infinity leaves no pauses. */
  readonly speed: number;
  /** No pause is longer, at any speed. */
  readonly idleMaxMs: number;
  readonly clock?: Clock;
}

/** Writes each record when it is due; what is due together is written together. */
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

/** A clock that was set back while it recorded makes no pause. */
function pauseMs(recordedMs: number, { speed, idleMaxMs }: Omit<Pace, "clock">): number {
  return Math.min(Math.max(recordedMs, 0) / speed, idleMaxMs);
}
