import { detachKeysDefault, detachKeysSchema } from "@podfleet/model/detach-keys";
import { z } from "zod";

import { switchSchema } from "../http/query.ts";

const off = switchSchema.default(false);

const streams = ["stdin", "stdout", "stderr"] as const;

/** The query of `POST /containers/{id}/attach`. Absent detach keys are the default ones, empty ones turn detaching off. */
export const attachQuery = z
  .object({
    /** Replays the output that was written before. */
    logs: off,
    /** Streams the output that is written from now on. */
    stream: off,
    stdin: off,
    stdout: off,
    stderr: off,
    detachKeys: detachKeysSchema.default(detachKeysDefault),
  })
  .refine(({ logs, stream }) => logs || stream, {
    path: ["stream"],
    error: 'must be true, or "logs" must',
  })
  .refine((query) => streams.some((name) => query[name]), {
    path: ["stdout"],
    error: 'must be true, or "stdin" or "stderr" must',
  });
export type AttachQuery = z.output<typeof attachQuery>;
