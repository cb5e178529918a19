import { detachKeysDefault, detachKeysSchema } from "@podfleet/model/detach-keys";
import { z } from "zod";

import { switchSchema } from "../http/query.ts";

const off = switchSchema.default(false);

const streams = ["stdin", "stdout", "stderr"] as const;

/** Of `POST /containers/{id}/attach`. Absent keys are the default ones, empty ones turn detaching off. */
export const attachQuery = z
  .object({
    /** What was written before comes first. */
    logs: off,
    /** What is written from now on, as it comes. */
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
