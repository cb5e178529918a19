/** Healthchecks through the whole system. */
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 1 });
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

test("the state of a container's health is listed, inspected and told as events; a check can be run by hand", async () => {
  const flags = ["--health-cmd", "test ! -e /sick", "--health-interval", "1s"];
  const quick = ["--health-retries", "1"];
  const command = ["busybox", "sleep", "600"];
  await fleet.cli(["run", "-d", "--name", "patient", ...flags, ...quick, ...command]);
  const status = async () => (await fleet.cli(["ps", "--filter", "name=patient"])).stdout;
  await waitFor(async () => (await status()).includes("(healthy)"), {
    what: "(healthy) in the list",
    timeoutMs: 20_000,
  });
  expect(await fleet.cli(["healthcheck", "run", "patient"])).toMatchObject({
    stdout: "",
    exitCode: 0,
  });

  await fleet.cli(["exec", "patient", "touch", "/sick"]);
  expect(await fleet.cli(["healthcheck", "run", "patient"])).toMatchObject({
    stdout: "unhealthy\n",
    exitCode: 1,
  });
  expect(await status()).toContain("(unhealthy)");
  const { stdout } = await fleet.cli(["inspect", "patient"]);
  const [{ State }] = JSON.parse(stdout);
  expect(State.Health).toMatchObject({ Status: "unhealthy", FailingStreak: expect.any(Number) });
  expect(State.Health.Log.at(-1)).toMatchObject({ ExitCode: 1, Output: "" });

  const events = await fleet.client.api.events.list.query({
    container: "patient",
    types: ["container.health_status"],
  });
  const states = events.map(({ attributes }) => attributes["health"]);
  expect(states.filter((state, at) => state !== states[at - 1])).toEqual(["healthy", "unhealthy"]);
});

test("a container without a healthcheck has nothing to be checked", async () => {
  await fleet.cli(["run", "-d", "--name", "plain", "busybox", "sleep", "600"]);
  const { stderr, exitCode } = await fleet.cli(["healthcheck", "run", "plain"]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain('container "plain": it was created without a healthcheck');
});
