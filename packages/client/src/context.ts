/** The context file: URL and token of a control plane, and the user's preferences. Only its owner may read it, because of the token. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { detachKeysSchema } from "@podfleet/model/detach-keys";
import { PodfleetError } from "@podfleet/model/errors";
import { z } from "zod";

import { writePrivateFile } from "./private-file.ts";

export const contextSchema = z.strictObject({
  /** URL of the control plane: `http://127.0.0.1:7575`. */
  url: z.url({ protocol: /^https?$/, error: "must be an http:// or https:// URL" }),
  token: z.string().min(1, "must not be empty"),
  /** Default of `--detach-keys`. */
  detachKeys: detachKeysSchema.optional(),
});
export type Context = z.infer<typeof contextSchema>;

/** @returns the path below `configHome` (XDG_CONFIG_HOME) if it is set, else below the home directory */
export function contextPath(directories: {
  configHome?: string | undefined;
  home: string;
}): string {
  const base = directories.configHome || join(directories.home, ".config");
  return join(base, "podfleet", "context.json");
}

/**
 * @returns undefined when there is no such file
 * @throws PodfleetError INVALID_INPUT when it cannot be read or is not a context file
 */
export async function findContext(path: string): Promise<Context | undefined> {
  const text = await readText(path);
  if (text === undefined) return undefined;
  try {
    return contextSchema.parse(JSON.parse(text));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot use the context file "${path}": ${reason}; write it with "podfleet context set"`,
      { cause: error },
    );
  }
}

/** Replaces the file atomically, with mode 0600. */
export async function writeContext(path: string, context: Context): Promise<void> {
  await writePrivateFile(path, `${JSON.stringify(contextSchema.parse(context), null, 2)}\n`);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot read the context file "${path}": ${String(error)}`,
      {
        cause: error,
      },
    );
  }
}
