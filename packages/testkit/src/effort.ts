import { z } from "zod";

/** The factor by which randomised tests run longer than in CI: `PODFLEET_TEST_EFFORT=10`. */
export const testEffort = z.coerce
  .number()
  .int()
  .min(1)
  .default(1)
  .parse(process.env["PODFLEET_TEST_EFFORT"]);
