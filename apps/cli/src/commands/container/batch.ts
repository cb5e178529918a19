import { readFile } from "node:fs/promises";

import { errorKinds } from "@podfleet/model/errors";
import type { StepResult } from "@podfleet/model/operation";

import type { Command } from "../../command.ts";
import { parseBatch } from "../../flags/batch-file.ts";
import { flagError, parseChoice } from "../../flags/flag-error.ts";
import { printJson } from "../../output/json.ts";
import { oneLine } from "../../output/one-line.ts";
import { alignColumns } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { traced, verb } from "../../verb.ts";

export function batchCommand(shell: Shell): Command {
  return verb(shell, {
    name: "batch",
    description:
      "Carry out the steps of a file on one container, with nobody else in between. Shows the result of each and ends with the error " +
      "of the first that failed, or with the exit code of its command",
    examples: ["batch deploy.yaml", "batch --format json deploy.json"],
  })
    .option("--format <format>", "text or json", "text")
    .argument("<file>", "YAML or JSON: container, steps, continueOnError")
    .action(
      traced(shell, async (file: string, flags: { readonly format: string }) => {
        const format = parseChoice("--format", flags.format, ["text", "json"]);
        const batch = parseBatch(file, await read(file));
        const { steps = [] } = await shell.mutate(
          async ({ api }, operationId) =>
            await api.containers.batch.mutate({ operationId, ...batch }),
        );
        if (format === "json") await printJson(shell.stdout, steps);
        else await shell.stdout.print(alignColumns(steps.map(lineOf)).join("\n"));
        return exitCodeOf(steps);
      }),
    );
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw flagError("batch", file, `must be a file that can be read (${String(error)})`);
  }
}

function lineOf(result: StepResult, index: number): string[] {
  const verb = result.verb.replace(/^container\.|\.start$/g, "");
  const line = [String(index + 1), verb, result.status];
  return result.status === "failed" ? [...line, oneLine(result.error.message)] : line;
}

function exitCodeOf(results: readonly StepResult[]): number {
  const failure = results.find((result) => result.status === "failed");
  if (failure?.status !== "failed") return 0;
  const { code, details } = failure.error;
  const exitCode = details?.["exitCode"];
  return typeof exitCode === "number" ? exitCode : errorKinds[code].exitCode;
}
