import { SpanStatusCode, trace } from "@opentelemetry/api";
import type { Client } from "@podfleet/client/client";
import { PodfleetError } from "@podfleet/model/errors";

import { Command } from "./command.ts";
import type { Shell } from "./shell.ts";

export interface VerbText {
  readonly name: string;
  readonly description: string;
  /** Command lines after `podfleet`. */
  readonly examples: readonly string[];
}

/** Makes a command with the help text and flags that all commands share. */
export function verb(shell: Shell, { name, description, examples }: VerbText): Command {
  const command = new Command(name);
  command.description(description).summary(description.split(/[.:;] /)[0] ?? description);
  command.option("--debug", "show the code, details and trace of an error", false);
  command.on("option:debug", () => {
    shell.debug = true;
  });
  const lines = examples.map((example) => `  podfleet ${example}`);
  command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
  return command;
}

type ActionHandler<Arguments extends unknown[]> = (
  this: Command,
  ...parameters: Arguments
) => Promise<void>;

/**
 * Makes an action that runs in the root span of a trace.
 * @param perform returns the exit code; 0 when it returns nothing
 */
export function traced<Arguments extends unknown[]>(
  shell: Shell,
  perform: (...parameters: Arguments) => Promise<number | void>,
): ActionHandler<Arguments> {
  return async function (...parameters) {
    // Sets up tracing.
    await shell.client();
    const tracer = trace.getTracer("podfleet.cli");
    await tracer.startActiveSpan(pathOf(this), async (span) => {
      shell.traceId = span.isRecording() ? span.spanContext().traceId : undefined;
      try {
        shell.exitCode = (await perform(...parameters)) ?? 0;
        span.setAttribute("process.exit.code", shell.exitCode);
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: PodfleetError.from(error).message });
        throw error;
      } finally {
        span.end();
      }
    });
  };
}

/** Like `traced`, and passes the client to `perform`. */
export function connected<Arguments extends unknown[]>(
  shell: Shell,
  perform: (client: Client, ...parameters: Arguments) => Promise<number | void>,
): ActionHandler<Arguments> {
  return traced(shell, async (...parameters: Arguments) =>
    perform(await shell.client(), ...parameters),
  );
}

/** @returns the words of a command: `podfleet image load` */
export function pathOf(command: Command): string {
  const parent = command.parent;
  return parent instanceof Command ? `${pathOf(parent)} ${command.name()}` : command.name();
}
