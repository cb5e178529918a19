import { defineConfig } from "drizzle-kit";

/**
 * `drizzle-kit generate --name <change>` writes the next migration from the schema. Add `STRICT` to a table that it makes:
 * drizzle-kit does not know of strict tables.
 */
export default defineConfig({
  dialect: "sqlite",
  schema: "./src/state/schema.ts",
  out: "./migrations",
});
