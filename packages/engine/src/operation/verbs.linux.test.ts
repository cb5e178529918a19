import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { hostVerbsSuite } from "@podfleet/simulator/host-verbs.suite";

import { EngineUnderTest } from "../test-engine.ts";

/** Ends with the code that the file `end` holds, once it is there. */
const script = "while [ ! -s /end ]; do sleep 0.05; done; code=$(cat /end); rm /end; exit $code";

hostVerbsSuite("an engine", async () => {
  const under = await EngineUnderTest.open();
  const { engine } = under;
  return {
    command: ["sh", "-c", `trap : USR1; ${script}`],
    do: async (request) => ({ outcome: await engine.perform(request) }),
    settle: ({ operationId }) => engine.settle(operationId),
    wait: async (request, signal) => await engine.wait(request, signal),
    events: () => engine.outbox.after(0, 100_000),
    end: async (id, exitCode) => {
      const rootfs = join(under.options.dataRoot, "containers", id, "rootfs");
      await writeFile(join(rootfs, "end"), String(exitCode));
    },
    [Symbol.asyncDispose]: async () => await under[Symbol.asyncDispose](),
  };
});
