/** Files in a container's root filesystem, as seen from inside. */
import { z } from "zod";

/** Absolute; symbolic links and `..` in it are followed as a process in the container would, and lead nowhere else. */
export const containerPathSchema = z
  .string()
  .max(4095, "must have at most 4095 characters")
  .regex(/^\/[^\0]*$/, "must be an absolute path in the container");

export const fileKinds = ["file", "directory", "link", "other"] as const;

/** What is at a path, after symbolic links. */
export const fileStatSchema = z.object({
  /** Where the path leads to: absolute, in the container, without symbolic links. */
  path: z.string(),
  /** A link that leads to nothing is a `link`. */
  kind: z.enum(fileKinds),
  sizeBytes: z.number().int().min(0),
  /** Permission bits. */
  mode: z.number().int().min(0).max(0o7777),
  uid: z.number().int().min(0),
  gid: z.number().int().min(0),
  modifiedAt: z.iso.datetime(),
});
export type FileStat = z.infer<typeof fileStatSchema>;

/** podman's letters: A added, C changed, D deleted, against the image. */
export const fileChangeSchema = z.object({ kind: z.enum(["A", "C", "D"]), path: z.string() });
export type FileChange = z.infer<typeof fileChangeSchema>;
