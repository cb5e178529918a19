import { z } from "zod";

import { wireErrorSchema } from "./errors.ts";
import { imageIdSchema, operationIdSchema } from "./ids.ts";

/** An image as one host holds it. */
export const imageSchema = z.object({
  id: imageIdSchema,
  /** Full references: `docker.io/library/busybox:latest`, `localhost/hello:1`. */
  names: z.array(z.string()),
  sizeBytes: z.number().int().min(0),
  createdAt: z.iso.datetime().optional(),
  layers: z.number().int().min(0),
});
export type Image = z.infer<typeof imageSchema>;

/** An image as the fleet holds it: on which hosts, under which names. */
export const imageRecordSchema = z.object({
  ...imageSchema.shape,
  hosts: z.array(z.string()),
});
export type ImageRecord = z.infer<typeof imageRecordSchema>;

/** What loading an archive on the hosts of the fleet came to. */
export const imageLoadResultSchema = z.object({
  operationId: operationIdSchema,
  images: z.array(imageSchema),
  hosts: z.array(z.object({ name: z.string(), error: wireErrorSchema.optional() })),
});
export type ImageLoadResult = z.infer<typeof imageLoadResultSchema>;

/**
 * A reference with its defaults filled in, as podman stores names: no registry means `localhost` for a local image, no
 * tag and no digest means `:latest`.
 */
export function fullImageName(reference: string): string {
  const slash = reference.indexOf("/");
  const first = slash < 0 ? "" : reference.slice(0, slash);
  const hasRegistry = first === "localhost" || first.includes(".") || first.includes(":");
  const path = hasRegistry ? reference : `localhost/${reference}`;
  const tail = path.slice(path.lastIndexOf("/") + 1);
  return tail.includes(":") || path.includes("@") ? path : `${path}:latest`;
}

/**
 * Whether `reference` means `image`: by id, by a prefix of the id of at least 12 digits, by full name, or by a short name
 * under any registry (`busybox` means `docker.io/library/busybox:latest` too).
 */
export function matchesImage(
  reference: string,
  image: { readonly id: string; readonly names: readonly string[] },
): boolean {
  const digest = image.id.slice("sha256:".length);
  const asDigest = reference.startsWith("sha256:") ? reference.slice("sha256:".length) : reference;
  if (/^[0-9a-f]{12,64}$/.test(asDigest) && digest.startsWith(asDigest)) return true;
  const full = fullImageName(reference);
  if (image.names.includes(full)) return true;
  if (!full.startsWith("localhost/") || reference.startsWith("localhost/")) return false;
  const path = full.slice("localhost/".length);
  return image.names.some((name) => name === path || name.endsWith(`/${path}`));
}
