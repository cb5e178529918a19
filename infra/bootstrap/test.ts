/** `npm test`: builds, runs the static checks and all tests, and prints `N passed, N failed`. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

import { buildApps } from "../../scripts/build.ts";
import { step } from "./steps.mjs";
import { emptyTally, readTally, type Tally } from "./test-report.ts";
import { root } from "./workspace.mjs";

const checks = ["check:format", "check:lint", "check:types", "check:dead"];

/** @param args for vitest: with any, such as `npm test -- --project unit placement`, the static checks are skipped */
export async function runTests(args: readonly string[]): Promise<void> {
  const isBuilt = await build();
  const failedChecks = args.length === 0 ? await runChecks() : [];
  const tally = await runVitest(args);
  const failedScripts = isBuilt ? failedChecks : ["build", ...failedChecks];
  const failed = tally.failed + failedScripts.length;
  if (failed > 0) process.exitCode = 1;
  for (const script of failedScripts) console.log(`failed: pnpm run ${script}`);
  const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : "";
  console.log(`${tally.passed} passed, ${failed} failed${skipped}`);
}

/** Builds the program files for the end-to-end tests. @returns whether that succeeded */
async function build(): Promise<boolean> {
  try {
    await step("programs", async () => {
      const built = (await buildApps()).filter(({ changed }) => changed);
      return built.length === 0 ? "up to date" : `built ${built.map(({ app }) => app).join(", ")}`;
    });
    return true;
  } catch (error) {
    console.log(error instanceof Error ? error.message : error);
    return false;
  }
}

/** @returns the names of the failed checks, whose output is printed */
async function runChecks(): Promise<string[]> {
  const failed: string[] = [];
  for (const check of checks) {
    const { line, output } = await step(check, async () => {
      const result = await execa("node", ["--run", check], { cwd: root, all: true, reject: false });
      return result.exitCode === 0 ? { line: "passed" } : { line: "failed", output: result.all };
    });
    if (line === "passed") continue;
    console.log(output);
    failed.push(check);
  }
  return failed;
}

async function runVitest(args: readonly string[]): Promise<Tally> {
  const folder = await mkdtemp(join(tmpdir(), "podfleet-test-"));
  const reportPath = join(folder, "report.json");
  try {
    const { exitCode } = await execa(
      "vitest",
      ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${reportPath}`, ...args],
      { cwd: root, stdio: "inherit", reject: false },
    );
    const report = await readFile(reportPath, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    const tally = report === undefined ? emptyTally : readTally(report);
    // Errors outside tests and an aborted run show in the exit code only.
    return exitCode !== 0 && tally.failed === 0 ? { ...tally, failed: 1 } : tally;
  } finally {
    await rm(folder, { recursive: true });
  }
}
