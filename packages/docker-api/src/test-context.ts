/** For tests: the context of a control plane that has lost its database. */
import { ROOT_CONTEXT } from "@opentelemetry/api";
import type { ApiContext } from "@podfleet/api/procedures/context";
import type { Services } from "@podfleet/api/services/services";
import { PodfleetError } from "@podfleet/model/errors";

/** Each method of each service but `system` fails. */
const services = new Proxy({} as Services, {
  get: (_target, noun) =>
    noun === "system" ? { version: "1.2.3", findFailure: () => undefined } : failingService,
});

const failingService = new Proxy(
  {},
  {
    get: () => async () => {
      throw new PodfleetError("UNAVAILABLE", "Cannot reach Postgres");
    },
  },
);

export async function contextWithoutDatabase(): Promise<ApiContext> {
  return { services, caller: { name: "tester" }, callerContext: ROOT_CONTEXT };
}
