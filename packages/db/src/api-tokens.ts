import { eq } from "drizzle-orm";

import type { Database } from "./database.ts";
import { apiTokens } from "./schema.ts";

export interface ApiTokenRow {
  readonly id: string;
  /** Who holds it. */
  readonly name: string;
  readonly sha256: Uint8Array;
}

export async function insertApiToken(database: Database, token: ApiTokenRow): Promise<void> {
  await database.insert(apiTokens).values(token);
}

/** Gives the token with this id another secret; makes it when there is none. Its holder stays the same. */
export async function replaceApiToken(database: Database, token: ApiTokenRow): Promise<void> {
  const { name, sha256 } = token;
  const replaced = await database
    .insert(apiTokens)
    .values(token)
    .onConflictDoUpdate({
      target: apiTokens.id,
      set: { sha256 },
      setWhere: eq(apiTokens.name, name),
    })
    .returning({ id: apiTokens.id });
  if (replaced.length === 0) throw new Error(`API token "${token.id}" is another holder's`);
}

export async function findApiToken(
  database: Database,
  id: string,
): Promise<ApiTokenRow | undefined> {
  const [row] = await database
    .select({ id: apiTokens.id, name: apiTokens.name, sha256: apiTokens.sha256 })
    .from(apiTokens)
    .where(eq(apiTokens.id, id));
  return row;
}
