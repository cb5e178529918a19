/** Runs a command of set-up on the workspace's Node. main.mjs starts it. */
import { PodfleetError } from "@podfleet/model/errors";

import { reportFailure, SetUpFailure } from "./failure.mjs";
import { tolerateClosedOutput } from "./steps.mjs";

/** Loaded on demand, so that `npm stop` works even when the code of other commands is broken. */
const commands: Readonly<
  Record<string, () => Promise<(args: readonly string[]) => Promise<void>>>
> = {
  start: async () => (await import("./start.ts")).start,
  stop: async () => (await import("./stop.ts")).stop,
  reset: async () => (await import("./reset.ts")).reset,
  test: async () => (await import("./test.ts")).runTests,
  bench: async () => (await import("./bench.ts")).runBenches,
};

tolerateClosedOutput();
try {
  const [name = "", ...args] = process.argv.slice(2);
  const load = commands[name];
  if (!load) throw new SetUpFailure(`Unknown command "${name}"`);
  const run = await load();
  await run(args);
} catch (error) {
  const isDefect = !(error instanceof PodfleetError) || error.code === "INTERNAL";
  reportFailure(isDefect ? error : new SetUpFailure(error.message, { cause: error }));
}
