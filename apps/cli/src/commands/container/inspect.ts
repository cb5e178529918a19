import { PodfleetError } from "@podfleet/model/errors";

import type { Command } from "../../command.ts";
import { reportFailure } from "../../failure.ts";
import { printJson } from "../../output/output.ts";
import { inspectedContainer } from "../../output/podman-json.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface InspectFlags {
  readonly format: string;
}

export function inspectCommand(shell: Shell): Command {
  return verb(shell, {
    name: "inspect",
    description: "Show all details of containers as JSON",
    examples: ["inspect web", "inspect --format State.Status,State.ExitCode,Host.Name job"],
  })
    .option("-f, --format <format>", "json, or a list of fields such as State.Pid", "json")
    .argument("<container...>", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: InspectFlags) => {
        const answers = await Promise.allSettled(
          names.map(async (container) => await client.api.containers.inspect.query({ container })),
        );
        const found = answers
          .filter((answer) => answer.status === "fulfilled")
          .map(({ value }) => inspectedContainer(value));
        if (flags.format === "json") await printJson(shell.stdout, found);
        else for (const each of found) await shell.stdout.print(fieldsOf(each, flags.format));
        const failures = answers.filter((answer) => answer.status === "rejected");
        for (const { reason } of failures) await reportFailure(shell, reason);
        return failures.length > 0 ? 125 : 0;
      }),
    );
}

/** @returns the values at the paths in `format`, separated by spaces */
function fieldsOf(container: object, format: string): string {
  const values = format.split(",").map((path) => {
    const value = path
      .trim()
      .split(".")
      .reduce<unknown>((within, key) => memberOf(within, key), container);
    if (value !== undefined) return typeof value === "string" ? value : JSON.stringify(value);
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot use --format ${JSON.stringify(format)}: there is no field "${path}"; "--format json" shows all`,
    );
  });
  return values.join(" ");
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}
