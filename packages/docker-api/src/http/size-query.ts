import { z } from "zod";

const characters = z
  .string({ error: "must be a number of characters" })
  .regex(/^\d{1,5}$/, "must be a number of characters")
  .transform(Number)
  .pipe(z.number().min(1, "must be at least 1").max(65_535, "must be at most 65535"));

/** A terminal's height and width. */
export const sizeQuery = z.object({ h: characters, w: characters });
