import { readFile } from "node:fs/promises";

import { errorKinds } from "@podfleet/model/errors";
import type { StepResult } from "@podfleet/model/operation";

import type { Command } from "../../command.ts";
import { parseBatch } from "../../flags/batch-file.ts";
import { addFormatFlag, type FormatFlags, parseFormat } from "../../flags/format.ts";
import { flagError } from "../../flags/values.ts";
import { oneLine } from "../../output/output.ts";
import { printReport } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { traced, verb } from "../../verb.ts";

export function batchCommand(shell: Shell): Command {
  const command = verb(shell, {
    name: "batch",
    description:
      "Run the steps in a file on one container without other operations in between, and show the result of each. Ends with the exit " +
      "code of the first step that failed",
    examples: ["batch deploy.yaml", "batch --format json deploy.json"],
  });
  return addFormatFlag(command)
    .argument("<file>", "YAML or JSON: container, steps, continueOnError")
    .action(
      traced(shell, async (file: string, flags: FormatFlags) => {
        const format = parseFormat(flags);
        const batch = parseBatch(file, await read(file));
        const { steps = [] } = await shell.mutate(
          async ({ api }, operationId) =>
            await api.containers.batch.mutate({ operationId, ...batch }),
        );
        await printReport(shell.stdout, format, { json: steps, rows: steps.map(rowOf) });
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

function rowOf(result: StepResult, index: number): string[] {
  const verb = result.verb.replace(/^container\.|\.start$/g, "");
  const row = [String(index + 1), verb, result.status];
  return result.status === "failed" ? [...row, oneLine(result.error.message)] : row;
}

function exitCodeOf(results: readonly StepResult[]): number {
  const failure = results.find((result) => result.status === "failed");
  if (failure?.status !== "failed") return 0;
  const { code, details } = failure.error;
  const exitCode = details?.["exitCode"];
  return typeof exitCode === "number" ? exitCode : errorKinds[code].exitCode;
}
