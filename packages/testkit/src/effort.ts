import { z } from "zod";

/** How many times as long randomised tests go on as they do in CI: `PODFLEET_TEST_EFFORT=10`. */
export const testEffort = z.coerce
  .number()
  .int()
  .min(1)
  .default(1)
  .parse(process.env["PODFLEET_TEST_EFFORT"]);
