import { defineConfig } from "drizzle-kit";

/** `drizzle-kit generate --name <change>` writes the next migration from the schema. */
export default defineConfig({
  dialect: "postgresql",
  schema: "./src/schema.ts",
  out: "./migrations",
});
