/** The control plane's two commands: `serve`, the default, and `token create NAME`. */
import { findDatabaseError } from "@podfleet/db/database-error";
import { PodfleetError } from "@podfleet/model/errors";

import { readConfig, readDatabaseUrl } from "./config.ts";
import { serve } from "./serve.ts";
import { createToken } from "./token.ts";

const usage = 'must be "serve" or "token create NAME"';

try {
  await run(process.argv.slice(2));
} catch (error) {
  const { code, message } = findDatabaseError(error) ?? PodfleetError.from(error);
  process.stderr.write(`${message}\n`);
  if (code === "INTERNAL" && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exit(1);
}

async function run([command = "serve", ...rest]: readonly string[]): Promise<void> {
  if (command === "serve" && rest.length === 0) return await serve(readConfig());
  const [verb, name] = rest;
  if (command === "token" && verb === "create" && name !== undefined && rest.length === 2) {
    return await createToken(readDatabaseUrl(), name);
  }
  const given = [command, ...rest].join(" ");
  throw new PodfleetError("INVALID_INPUT", `Cannot run ${JSON.stringify(given)}: ${usage}`);
}
