/** `npm run reset`: stops the fleet and deletes its records, images, containers, keys and the CLI's token. */
import { rm } from "node:fs/promises";

import { findContext } from "@podfleet/client/context";

import { cliContextPath, dataRoot } from "./paths.ts";
import { withSetUpLock } from "./set-up-lock.ts";
import { readSettings } from "./settings.ts";
import { step } from "./steps.mjs";
import { tearDown } from "./stop.ts";

export async function reset(): Promise<void> {
  await withSetUpLock(async () => {
    await tearDown();
    await step("data", deleteData);
  });
}

async function deleteData(): Promise<string> {
  const settings = readSettings();
  await rm(dataRoot, { recursive: true, force: true });
  const context = await findContext(cliContextPath);
  if (context?.url === settings.url) await rm(cliContextPath);
  const kept =
    settings.databaseUrl === undefined
      ? ""
      : "; the database of DATABASE_URL is kept with its hosts: the next fleet needs an empty database";
  return `${dataRoot} deleted${kept}`;
}
