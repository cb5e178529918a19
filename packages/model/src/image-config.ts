/** An image's configuration, as the OCI image spec and Docker's image spec have it. Docker writes null for what is absent. */
import { z } from "zod";

import { PodfleetError } from "./errors.ts";

const strings = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? undefined);
const text = z
  .string()
  .nullish()
  .transform((value) => value || undefined);

const runSchema = z
  .object({
    Entrypoint: strings,
    Cmd: strings,
    Env: strings,
    User: text,
    WorkingDir: text,
    StopSignal: text,
    Labels: z.record(z.string(), z.string()).nullish(),
  })
  .nullish();

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be a sha256 digest");

export const imageConfigSchema = z
  .object({
    architecture: text,
    os: text,
    created: text,
    config: runSchema,
    rootfs: z.object({ diff_ids: z.array(digest) }),
  })
  .transform(({ config, rootfs, ...image }) => ({
    architecture: image.architecture,
    os: image.os,
    createdAt: image.created,
    entrypoint: config?.Entrypoint,
    command: config?.Cmd,
    /** `NAME=value` each. */
    env: config?.Env ?? [],
    user: config?.User,
    workdir: config?.WorkingDir,
    stopSignal: config?.StopSignal,
    labels: config?.Labels ?? {},
    /** Digests of the layers' uncompressed tar streams, the lowest first. */
    diffIds: rootfs.diff_ids,
  }));

export type ImageConfig = z.output<typeof imageConfigSchema>;

/** @throws PodfleetError IMAGE_INVALID */
export function parseImageConfig(json: string): ImageConfig {
  try {
    return imageConfigSchema.parse(JSON.parse(json));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new PodfleetError("IMAGE_INVALID", `Cannot read the image's configuration: ${reason}`, {
      cause: error,
    });
  }
}
