import { readdir } from "node:fs/promises";

import type { z } from "zod";

/**
 * The entries of a directory that are named by ids. Others are somebody else's, and are left alone.
 * @param onForeign told the path of each of those
 */
export async function idsIn<Schema extends z.ZodType<string>>(
  directory: string,
  schema: Schema,
  onForeign?: (path: string) => void,
): Promise<z.output<Schema>[]> {
  const ids: z.output<Schema>[] = [];
  for (const name of await readdir(directory)) {
    const id = schema.safeParse(name);
    if (id.success) ids.push(id.data);
    else onForeign?.(`${directory}/${name}`);
  }
  return ids;
}
