/** What may happen to a fleet while sessions are open. Each leaves the fleet to recover by itself, and resolves without waiting for that. */
import { systemClock } from "@podfleet/base/clock";
import { testEffort } from "@podfleet/testkit/effort";
import type { Fleet, FleetHost } from "@podfleet/testkit/fleet";
import type { TestProcess } from "@podfleet/testkit/test-process";

export interface FaultTargets {
  readonly fleet: Fleet;
  readonly host: FleetHost;
  /** A client that is a process. */
  readonly client: TestProcess;
  /** At least 0 and less than 1. */
  readonly random: () => number;
}

export type Fault = (targets: FaultTargets) => Promise<void>;

export const faults: Readonly<Record<string, Fault>> = {
  "kill -9 of the agent": async ({ host, random }) => {
    await host.agent.end("SIGKILL");
    await systemClock.sleep(random() * 300);
    host.agent.start();
  },

  "kill -9 of a control plane": async ({ fleet, random }) => {
    const replica = fleet.replicas[Math.floor(random() * fleet.replicas.length)];
    await replica?.process.end("SIGKILL");
    await systemClock.sleep(random() * 300);
    replica?.process.start();
  },

  "kill -9 of the client": async ({ client }) => {
    await client.end("SIGKILL");
    client.start();
  },

  "nats-server killed and restarted": async ({ fleet, random }) => {
    await fleet.nats.kill();
    await systemClock.sleep(random() * 300);
    await fleet.nats.restart();
  },

  "the host's link cut": async ({ host, random }) => {
    await host.network.cut();
    const isLong = testEffort > 1 && random() < 0.05;
    await systemClock.sleep(isLong ? 30_000 : 100 + random() ** 3 * 2_900);
    await host.network.join();
  },

  "packets delayed": async ({ host, random }) => {
    await host.network.throttle({ kilobits: 2_000, queueBytes: 200_000 });
    await systemClock.sleep(200 + random() * 800);
    await host.network.unthrottle();
  },

  "packets dropped": async ({ host, random }) => {
    await host.network.throttle({ kilobits: 8_000, queueBytes: 3_000 });
    await systemClock.sleep(200 + random() * 800);
    await host.network.unthrottle();
  },

  "the client stopped for a while": async ({ client, random }) => {
    if (!client.isRunning) return;
    process.kill(client.pid, "SIGSTOP");
    await systemClock.sleep(random() * 1_500);
    process.kill(client.pid, "SIGCONT");
  },
};

/** mulberry32: the same numbers for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
