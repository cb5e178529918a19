/** Changes of containers on a host of the fleet, by the CLI and by the client. */
import { writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";

import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 1 });
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

const sleep = ["sleep", "600"];

async function inspect(container: string) {
  return await fleet.client.api.containers.inspect.query({ container });
}

test("podfleet pause, unpause and restart print the container; what cannot be is an error", async () => {
  await runContainer(fleet.client, { name: "web", command: sleep, stopTimeoutSeconds: 0 });
  expect(await fleet.cli(["pause", "web"])).toMatchObject({ stdout: "web\n", exitCode: 0 });
  expect((await inspect("web")).state).toBe("paused");
  const again = await fleet.cli(["pause", "web"]);
  expect(again).toMatchObject({ stdout: "", exitCode: 125 });
  expect(again.stderr).toMatch(/^Error: Cannot pause container "web": state is "paused"/);
  expect(await fleet.cli(["unpause", "--all"])).toMatchObject({ exitCode: 0 });
  expect((await fleet.cli(["unpause", "web"])).exitCode).toBe(125);
  const before = await inspect("web");
  expect(await fleet.cli(["restart", "web"])).toMatchObject({ stdout: "web\n", exitCode: 0 });
  const after = await inspect("web");
  expect(after).toMatchObject({ state: "running", run: (before.run ?? 0) + 1 });
  expect(await fleet.cli(["refresh", "web"])).toMatchObject({ exitCode: 0 });
  expect(await inspect("web")).toMatchObject({ state: "running", run: (before.run ?? 0) + 2 });
});

test("T5, O97: podfleet stop of what does not run prints it, and leaves it as it is", async () => {
  await fleet.cli(["create", "--name", "idle", "busybox", "true"]);
  expect(await fleet.cli(["stop", "idle"])).toMatchObject({ stdout: "idle\n", exitCode: 0 });
  expect((await inspect("idle")).state).toBe("configured");
  await fleet.cli(["start", "--attach", "idle"]);
  expect(await fleet.cli(["stop", "idle"])).toMatchObject({ stdout: "idle\n", exitCode: 0 });
  expect(await inspect("idle")).toMatchObject({ state: "exited", exitCode: 0 });
});

test("O100: each signal reaches the process, by its number and by its name", async () => {
  const names =
    "HUP INT QUIT ILL TRAP ABRT BUS FPE USR1 SEGV USR2 PIPE ALRM TERM TSTP TTIN TTOU URG XCPU VTALRM WINCH";
  const signals = names.split(" ");
  const script = `for s in ${names}; do trap "echo $s" $s; done; while echo ready; do sleep 600 & wait; done`;
  const { id } = await runContainer(fleet.client, { command: ["sh", "-c", script] });
  const received = async () => {
    const lines = (await fleet.cli(["logs", id])).stdout.split("\n");
    return lines.filter((line) => signals.includes(line));
  };
  await waitFor(async () => (await fleet.cli(["logs", id])).stdout !== "", { what: "the traps" });
  const forms = [(name: string) => name, (name: string) => `SIG${name}`, numberOf];
  for (const [round, form] of forms.entries()) {
    for (const name of signals) {
      await fleet.client.api.containers.kill.mutate({ container: id, signal: form(name) });
    }
    await waitFor(async () => (await received()).length === signals.length * (round + 1), {
      what: "every trap to run",
    });
  }
  expect((await received()).toSorted()).toEqual([...signals, ...signals, ...signals].toSorted());
});

function numberOf(name: string): string {
  return String(constants.signals[`SIG${name}` as NodeJS.Signals]);
}

test("O131: podfleet cleanup of a container that does not exist is no error", async () => {
  expect(await fleet.cli(["cleanup", "nobody"])).toMatchObject({ exitCode: 0 });
});

test("podfleet rename takes effect on the host and in the fleet", async () => {
  const { id } = await runContainer(fleet.client, { name: "before", command: sleep });
  expect(await fleet.cli(["rename", "before", "after"])).toMatchObject({ stdout: "", exitCode: 0 });
  const renamed = await inspect("after");
  expect(renamed).toMatchObject({ id, name: "after", source: "agent", spec: { name: "after" } });
  const { stderr } = await fleet.cli(["inspect", "before"]);
  expect(stderr).toContain("Cannot find container");
  const taken = await fleet.cli(["rename", "after", "web"]);
  expect(taken.stderr).toContain("a container of the fleet has that name");
});

test("podfleet update changes limits of a running container and what its host has reserved", async () => {
  const { client } = fleet;
  await runContainer(client, { name: "sized", command: sleep, resources: { cpus: 0.5 } });
  const updated = await fleet.cli(["update", "--cpus", "1", "--memory", "64m", "sized"]);
  expect(updated).toMatchObject({ stdout: "sized\n", exitCode: 0 });
  const resources = { cpus: 1, memoryBytes: 64 * 1024 ** 2 };
  expect((await inspect("sized")).spec.resources).toEqual(resources);
  const [host] = await client.api.hosts.list.query();
  expect(host?.reserved).toEqual({ cpuMillis: 1_000, memoryBytes: resources.memoryBytes });
  const greedy = await fleet.cli(["update", "--cpus", "4096", "sized"]);
  expect(greedy).toMatchObject({ stdout: "", exitCode: 125 });
  expect(greedy.stderr).toContain("CPUs, ");
  expect((await fleet.cli(["update", "--memory", "0", "sized"])).exitCode).toBe(0);
  expect((await inspect("sized")).spec.resources).toEqual({ cpus: 1 });
  const policy = await fleet.cli(["update", "--restart", "on-failure:3", "sized"]);
  expect(policy.exitCode).toBe(0);
  expect((await inspect("sized")).spec.restartPolicy).toEqual({
    name: "on-failure",
    retriesMax: 3,
  });
});

test("B1: podfleet batch carries out the steps of a file, and ends with the code of a command that fails", async () => {
  const { api } = fleet.client;
  await api.containers.create.mutate({ spec: { image: "busybox", name: "job", command: sleep } });
  const file = join(fleet.root, "batch.yaml");
  const steps = [
    "start",
    "exec: { command: ['true'] }",
    "pause",
    "unpause",
    "stop: { timeoutSeconds: 0 }",
  ];
  await writeFile(file, `container: job\nsteps:\n${steps.map((step) => `- ${step}\n`).join("")}`);
  const { stdout, exitCode } = await fleet.cli(["batch", file]);
  expect(exitCode).toBe(0);
  expect(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ +/)),
  ).toEqual([
    ["1", "start", "succeeded"],
    ["2", "exec", "succeeded"],
    ["3", "pause", "succeeded"],
    ["4", "unpause", "succeeded"],
    ["5", "stop", "succeeded"],
  ]);
  const failing = { container: "job", steps: ["start", { exec: { command: ["false"] } }, "stop"] };
  await writeFile(file, JSON.stringify(failing));
  const failed = await fleet.cli(["batch", file]);
  expect(failed.exitCode).toBe(1);
  expect(failed.stdout).toMatch(/2 +exec +failed +Command "false".*\n3 +stop +skipped\n$/);
  await writeFile(file, "container: job\nsteps: [start, remove]\n");
  const refused = await fleet.cli(["batch", file]);
  expect(refused.exitCode).toBe(125);
  expect(refused.stderr).toContain("step 2 (remove)");
});

test("O73: podfleet run --rm with a restart policy is refused", async () => {
  const result = await fleet.cli(["run", "--rm", "--restart", "always", "busybox", "true"]);
  expect(result).toMatchObject({ stdout: "", exitCode: 125 });
  const allowed = await fleet.cli(["run", "--rm", "--restart", "no", "busybox", "true"]);
  expect(allowed.exitCode).toBe(0);
});
