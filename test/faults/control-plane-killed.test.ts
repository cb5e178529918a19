/** kill -9 of the control plane in the middle of a script's work: every operation takes effect exactly once. */
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { runContainerOnce } from "../fleet/fleet-container.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet();
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

const count = 50;
const command = ["sleep", "600"];

test("50 creates and starts, retried with the same operation ids, make 50 containers that started once", async () => {
  const { client, replicas } = fleet;
  const [replica] = replicas;
  if (!replica) throw new Error("The fleet has no control plane");
  let finished = 0;
  const script = Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const container = await runContainerOnce(client, { name: `c${index}`, command });
      finished += 1;
      return container;
    }),
  );
  for (const atLeast of [5, 20]) {
    await waitFor(() => finished >= atLeast, { what: `${atLeast} starts`, timeoutMs: 30_000 });
    await replica.process.end("SIGKILL");
    await replica.start();
  }
  const containers = await script;
  expect(new Set(containers.map(({ id }) => id)).size).toBe(count);

  const listed = await client.api.containers.list.query({});
  expect(listed).toHaveLength(count);
  expect(listed.every(({ state, run }) => state === "running" && run === 1)).toBe(true);
  const ids = new Set(containers.map(({ id }) => id));
  await waitFor(
    async () => {
      const events = await client.api.events.list.query({ types: ["container.start"] });
      const started = events.map(({ container }) => container?.id);
      return started.length === count && new Set(started).size === ids.size;
    },
    { what: "one start event of each container" },
  );
  const open = await client.api.operations.list.query({ status: "dispatched" });
  expect(open).toEqual([]);
});
