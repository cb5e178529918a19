import { hostVerbsSuite } from "./host-verbs.suite.ts";
import { SimulatedHost } from "./simulated-host.ts";

hostVerbsSuite("a simulated host", async () => {
  const host = new SimulatedHost();
  return {
    command: ["sleep", "600"],
    do: async ({ operationId, action }) => ({ outcome: await host.perform(operationId, action) }),
    settle: ({ operationId }) => host.settle(operationId),
    wait: async (request, signal) => await host.wait(request, signal),
    events: () => host.outbox,
    end: async (id, exitCode) => host.exit(id, exitCode),
    [Symbol.asyncDispose]: async () => undefined,
  };
});
