/** Artifacts: named files that are kept with a container, outside of its root filesystem, and go with it. */
import { z } from "zod";

/** One file name: no way out of the container's own directory. */
export const artifactNameSchema = z
  .string()
  .min(1, "must not be empty")
  .max(200, "must have at most 200 characters")
  .regex(/^[^/\0]*$/, 'must not contain "/" or a NUL byte')
  .refine((name) => name !== "." && !name.includes(".."), 'must not be "." or contain ".."');

export const artifactSchema = z.object({
  name: z.string(),
  sizeBytes: z.number().int().min(0),
  modifiedAt: z.iso.datetime(),
});
export type Artifact = z.infer<typeof artifactSchema>;
