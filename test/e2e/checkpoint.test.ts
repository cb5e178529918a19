import { stat, truncate } from "node:fs/promises";
import { join } from "node:path";

import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { outputOf, removeContainers, runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet();
});
afterEach(async () => await removeContainers(fleet.client));
afterAll(async () => await fleet[Symbol.asyncDispose]());

const counter = "i=0; while :; do i=$((i + 1)); echo $i; sleep 0.1; done";

async function counts(container: string): Promise<number[]> {
  const { stdout } = await outputOf(fleet.client, container);
  return stdout.trim().split("\n").map(Number);
}

async function reaches(container: string, count: number): Promise<void> {
  await waitFor(async () => (await counts(container)).includes(count), {
    what: `${container} to count to ${count}`,
  });
}

test("K3 a counter goes on on another host under another name", async () => {
  const [first, , third] = fleet.hosts;
  const file = join(fleet.root, "counter.tar");
  await runContainer(fleet.client, {
    name: "counter",
    command: ["sh", "-c", counter],
    placement: { host: first?.name },
  });
  await reaches("counter", 5);
  const saved = await fleet.cli(["checkpoint", "--export", file, "counter"]);
  expect(saved).toMatchObject({ exitCode: 0, stdout: "counter\n", stderr: "" });
  const last = Math.max(...(await counts("counter")));
  const inspected = await fleet.client.api.containers.inspect.query({ container: "counter" });
  expect(inspected).toMatchObject({ state: "exited", checkpoint: { endedRun: 1 } });

  const host = third?.name ?? "";
  const args = ["restore", "--import", file, "--name", "counter-2", "--host", host];
  const restored = await fleet.cli(args);
  expect(restored).toMatchObject({ exitCode: 0, stderr: "" });
  const copy = await fleet.client.api.containers.inspect.query({ container: "counter-2" });
  expect(copy).toMatchObject({
    id: restored.stdout.trim(),
    state: "running",
    restoredRun: 1,
    host: { name: host },
  });
  await reaches("counter-2", last + 5);
  expect((await counts("counter-2"))[0]).toBe(last + 1);

  const back = await fleet.cli(["restore", "counter"]);
  expect(back).toMatchObject({ exitCode: 0, stdout: "counter\n" });
  await reaches("counter", last + 3);
});

test("K7 a bad archive is refused and nothing is created; a name is not given twice", async () => {
  const file = join(fleet.root, "bad.tar");
  await runContainer(fleet.client, { name: "taken", command: ["sh", "-c", counter] });
  await fleet.cli(["checkpoint", "--leave-running", "--export", file, "taken"]);
  const twice = await fleet.cli(["restore", "--import", file, "--name", "taken"]);
  expect(twice).toMatchObject({ exitCode: 125, stderr: expect.stringContaining("that name") });
  await truncate(file, Math.floor((await stat(file)).size / 2));
  const truncated = await fleet.cli(["restore", "--import", file, "--name", "half"]);
  expect(truncated).toMatchObject({ exitCode: 125, stderr: expect.stringMatching(/archive/) });
  const foreign = await fleet.cli(["restore", "--import", process.execPath, "--name", "foreign"]);
  expect(foreign).toMatchObject({ exitCode: 125, stderr: expect.stringMatching(/archive/) });
  const containers = await fleet.client.api.containers.list.query({ all: true });
  expect(containers.map(({ name }) => name)).toEqual(["taken"]);
});

test("hosts say whether they can checkpoint", async () => {
  const hosts = await fleet.client.api.hosts.list.query();
  expect(hosts.map(({ checkpoint }) => checkpoint?.supported)).toEqual([true, true, true]);
});
