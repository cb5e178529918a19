import { z } from "zod";

/** libpod's rule for container names, bounded at 253 characters. */
export const containerNameSchema = z
  .string()
  .max(253, "must have at most 253 characters")
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/, "must match [a-zA-Z0-9][a-zA-Z0-9_.-]*");

/** A DNS label (RFC 1123). */
export const hostNameSchema = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    "must be a DNS label: 1 to 63 of a-z, 0-9 and -, not starting or ending with -",
  );

export const labelsSchema = z
  .record(
    z.string().min(1, "label keys must not be empty").max(253),
    z.string().max(4096, "label values must have at most 4096 characters"),
  )
  .refine((labels) => Object.keys(labels).length <= 256, "must have at most 256 labels");
export type Labels = z.infer<typeof labelsSchema>;
