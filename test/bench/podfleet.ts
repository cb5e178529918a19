/** podfleet itself: through the API, the control plane, NATS and an agent. */
import type { Fleet, FleetHost } from "../fleet/fleet.ts";
import { command } from "./contender.ts";
import type { Contender } from "./contender.ts";

/** @param fleet disposed of by the caller */
export function openPodfleet({ client }: Fleet, host: FleetHost): Contender {
  const { api } = client;
  const spec = { image: "busybox", command, placement: { host: host.name } };
  return {
    name: "podfleet",
    createAndStart: async () => {
      const { container } = await api.containers.create.mutate({ spec });
      await api.containers.start.mutate({ container: container.id });
      return container.id;
    },
    exec: async (container, args) => {
      const session = await client.exec({ container, spec: { command: [...args] } });
      const { exitCode } = await session.wait();
      if (exitCode !== 0) throw new Error(`podfleet's command ended with ${exitCode}`);
    },
    stop: async (container) =>
      void (await api.containers.stop.mutate({ container, timeoutSeconds: 0 })),
    remove: async (container) => void (await api.containers.remove.mutate({ container })),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
