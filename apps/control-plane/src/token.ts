import { openDatabase } from "@podfleet/db/database";
import { migrateDatabase } from "@podfleet/db/migrate";
import { PodfleetError } from "@podfleet/model/errors";

import { callerNameSchema, createApiToken } from "./services/api-tokens.ts";

/** Makes an API token and prints it alone on standard output; it cannot be shown again. */
export async function createToken(databaseUrl: string, name: string): Promise<void> {
  const parsed = callerNameSchema.safeParse(name);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot create a token for ${JSON.stringify(name)}: the name ${issue?.message ?? ""}`,
    );
  }
  await migrateDatabase(databaseUrl);
  const { database, close } = openDatabase({
    url: databaseUrl,
    applicationName: "podfleet token",
    connectionsMax: 1,
    onIdleError: (error) => {
      throw error;
    },
  });
  try {
    process.stdout.write(`${await createApiToken(database, parsed.data)}\n`);
  } finally {
    await close();
  }
}
