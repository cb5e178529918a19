/** The configuration of Docker's CLI with which it presents a token of podfleet's. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { writePrivateFile } from "@podfleet/client/private-file";
import { PodfleetError } from "@podfleet/model/errors";
import { z } from "zod";

const configSchema = z.looseObject({ HttpHeaders: z.record(z.string(), z.string()).default({}) });

/**
 * Has Docker's CLI present the token when `folder` is its DOCKER_CONFIG. Whatever else its configuration says stays.
 * @throws PodfleetError INVALID_INPUT when what is there is not such a configuration
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
      `Cannot use "${path}" as a configuration of Docker's: ${reason}`,
      { cause: error },
    );
  }
}
