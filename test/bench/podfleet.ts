/** podfleet itself: through the API, the control plane, NATS and an agent. */
import type { Fleet, FleetHost } from "@podfleet/testkit/fleet";

import { command } from "./contender.ts";
import type { Contender } from "./contender.ts";

/** @param fleet stays the caller's to dispose of */
export function openPodfleet({ client: { api } }: Fleet, host: FleetHost): Contender {
  const spec = { image: "busybox", command, placement: { host: host.name } };
  return {
    name: "podfleet",
    createAndStart: async () => {
      const { container } = await api.containers.create.mutate({ spec });
      await api.containers.start.mutate({ container: container.id });
      return container.id;
    },
    stop: async (container) =>
      void (await api.containers.stop.mutate({ container, timeoutSeconds: 0 })),
    remove: async (container) => void (await api.containers.remove.mutate({ container })),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
