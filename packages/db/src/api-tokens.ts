import { eq } from "drizzle-orm";

import type { Database } from "./database.ts";
import { apiTokens } from "./schema.ts";

export interface ApiTokenRow {
  readonly id: string;
  /** The caller that holds it. */
  readonly name: string;
  readonly sha256: Uint8Array;
}

export async function insertApiToken(database: Database, token: ApiTokenRow): Promise<void> {
  await database.insert(apiTokens).values(token);
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
