import { z } from "zod";

const absolutePath = z
  .string()
  .regex(/^\/[^\0]*$/, "must be an absolute path")
  .refine((path) => !path.split("/").includes(".."), 'must not contain ".."');

export const mountPropagations = [
  "private",
  "rprivate",
  "slave",
  "rslave",
  "shared",
  "rshared",
] as const;

/** A directory or file of the host. */
const bindMountSchema = z.strictObject({
  type: z.literal("bind"),
  source: absolutePath,
  destination: absolutePath,
  readOnly: z.boolean().default(false),
  /** Takes the mounts below the source too. */
  recursive: z.boolean().default(true),
  propagation: z.enum(mountPropagations).default("rprivate"),
});

const tmpfsMountSchema = z.strictObject({
  type: z.literal("tmpfs"),
  destination: absolutePath,
  sizeBytes: z.number().int().min(4096, "must be at least 4096").optional(),
  /** Permission bits, octal digits. */
  mode: z
    .string()
    .regex(/^[0-7]{3,4}$/, "must be 3 or 4 octal digits")
    .default("1777"),
  readOnly: z.boolean().default(false),
});

export const mountSchema = z.discriminatedUnion("type", [bindMountSchema, tmpfsMountSchema]);
export type Mount = z.infer<typeof mountSchema>;
