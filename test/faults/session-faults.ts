/** Faults of a fleet while sessions are open. The fleet recovers by itself; a fault resolves without waiting for that. */
import { testEffort } from "@podfleet/testkit/effort";
import type { SeededRandom } from "@podfleet/testkit/seed";
import type { TestProcess } from "@podfleet/testkit/test-process";

import type { Fleet, FleetHost } from "../fleet/fleet.ts";

export interface FaultTargets {
  readonly fleet: Fleet;
  readonly host: FleetHost;
  /** A client in a process of its own. */
  readonly client: TestProcess;
  readonly random: SeededRandom;
}

export type Fault = (targets: FaultTargets) => Promise<void>;

export const faults: Readonly<Record<string, Fault>> = {
  "kill -9 of the agent": async ({ host, random }) => {
    await host.agent.end("SIGKILL");
    await random.moment(300);
    host.agent.start();
  },

  "kill -9 of a control plane": async ({ fleet, random }) => {
    const replica = fleet.replicas[random.below(fleet.replicas.length)];
    await replica?.process.end("SIGKILL");
    await random.moment(300);
    replica?.process.start();
  },

  "kill -9 of the client": async ({ client }) => {
    await client.end("SIGKILL");
    client.start();
  },

  "nats-server killed and restarted": async ({ fleet, random }) => {
    await fleet.nats.kill();
    await random.moment(300);
    await fleet.nats.restart();
  },

  "the host's link cut": async ({ host, random }) => {
    await host.network.cut();
    const isLong = testEffort > 1 && random.next() < 0.05;
    const outageMsMax = 100 + random.next() ** 2 * 2_900;
    await (isLong ? random.moment(30_000, 30_000) : random.moment(outageMsMax, 100));
    await host.network.join();
  },

  "packets delayed": async ({ host, random }) => {
    await host.network.throttle({ kilobits: 2_000, queueBytes: 200_000 });
    await random.moment(1_000, 200);
    await host.network.unthrottle();
  },

  "packets dropped": async ({ host, random }) => {
    await host.network.throttle({ kilobits: 8_000, queueBytes: 3_000 });
    await random.moment(1_000, 200);
    await host.network.unthrottle();
  },

  "the client stopped for a while": async ({ client, random }) => {
    if (!client.isRunning) return;
    process.kill(client.pid, "SIGSTOP");
    await random.moment(1_500);
    process.kill(client.pid, "SIGCONT");
  },
};
