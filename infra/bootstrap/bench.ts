/** `npm run bench [NAME...]`: runs the benches for the promises in docs/SPECIFICATION.md. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

import { buildApps } from "../../scripts/build.ts";
import { SetUpFailure } from "./failure.mjs";
import { root } from "./workspace.mjs";

const folder = join(root, "test/bench");
const suffix = ".bench.ts";

/** Runs benches, each of which prints its results and exits with 1 when a promise is not kept. */
export async function runBenches(names: readonly string[]): Promise<void> {
  const known = (await readdir(folder))
    .filter((file) => file.endsWith(suffix))
    .map((file) => file.slice(0, -suffix.length));
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new SetUpFailure(`Unknown bench "${unknown}": must be one of ${known.join(", ")}`);
  }
  await buildApps();
  for (const name of names.length > 0 ? names : known) {
    console.log(`\n${name}`);
    const bench = join(folder, `${name}${suffix}`);
    const { exitCode } = await execa("node", [bench], {
      cwd: root,
      stdio: "inherit",
      reject: false,
    });
    if (exitCode !== 0) process.exitCode = 1;
  }
}
