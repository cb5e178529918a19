/** Configuration of Docker's CLI that sends podfleet's token. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { writePrivateFile } from "@podfleet/client/private-file";
import { PodfleetError } from "@podfleet/model/errors";
import { z } from "zod";

const configSchema = z.looseObject({ HttpHeaders: z.record(z.string(), z.string()).default({}) });

/**
 * Writes the token to `config.json` in `folder`, for DOCKER_CONFIG. Other settings in the file are kept.
 * @throws PodfleetError INVALID_INPUT when the file exists and is not a Docker configuration
 */
export async function writeDockerConfig(folder: string, token: string): Promise<void> {
  const path = join(folder, "config.json");
  const { HttpHeaders, ...rest } = await readConfig(path);
  const headers = { ...HttpHeaders, Authorization: `Bearer ${token}` };
  await writePrivateFile(path, `${JSON.stringify({ ...rest, HttpHeaders: headers }, null, 2)}\n`);
}

async function readConfig(path: string): Promise<z.output<typeof configSchema>> {
  try {
    return configSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return { HttpHeaders: {} };
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot use "${path}" as a Docker configuration: ${reason}`,
      { cause: error },
    );
  }
}
