/** A container on a host of the fleet, by the client and by the CLI. */
import { findLeaks } from "@podfleet/testkit/temp-root";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { outputOf, removeContainers, runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet();
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

const job = ["sh", "-c", "echo out; echo err >&2; exit 7"];

test("runs on the named host; streams and exit code come back", async () => {
  const [, second] = fleet.hosts;
  const placement = { host: second?.name };
  const { id, host } = await runContainer(fleet.client, { command: job, placement });
  expect(host.name).toBe(second?.name);
  expect(await fleet.client.wait({ container: id })).toMatchObject({ run: 1, exitCode: 7 });
  expect(await outputOf(fleet.client, id)).toEqual({ stdout: "out\n", stderr: "err\n" });
});

test("podfleet run writes both streams to their descriptors and ends with the exit code", async () => {
  const [, second] = fleet.hosts;
  const result = await fleet.cli(["run", "--host", second?.name ?? "", "busybox", ...job]);
  expect(result).toEqual({ stdout: "out\n", stderr: "err\n", exitCode: 7 });
});

test("podfleet ps -a lists the job with its host and exit code", async () => {
  const name = fleet.hosts[0]?.name ?? "";
  await fleet.cli(["run", "--name", "job", "--host", name, "busybox", ...job]);
  const { stdout, exitCode } = await fleet.cli(["ps", "-a", "--filter", "name=job"]);
  expect(exitCode).toBe(0);
  const [heading, row, ...more] = stdout.trimEnd().split("\n");
  expect(heading).toMatch(/CONTAINER ID.*HOST/);
  expect(row).toMatch(new RegExp(`busybox.*Exited \\(7\\).*${name}`));
  expect(more).toEqual([]);
});

test("podfleet run gives 10,000 lines of each stream back in full", async () => {
  const script = "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); echo o$i; echo e$i >&2; done";
  const { stdout, stderr, exitCode } = await fleet.cli(["run", "busybox", "sh", "-c", script]);
  const numbers = Array.from({ length: 10_000 }, (_, index) => index + 1);
  expect(exitCode).toBe(0);
  expect(stdout === numbers.map((number) => `o${number}\n`).join("")).toBe(true);
  expect(stderr === numbers.map((number) => `e${number}\n`).join("")).toBe(true);
});

test("O135: podfleet run ends with 137 when the container is removed by force meanwhile", async () => {
  const running = fleet.cli(["run", "--name", "victim", "busybox", "sleep", "600"]);
  await waitFor(
    async () => (await fleet.cli(["ps", "--filter", "name=victim"])).stdout.includes("Up"),
    { what: "the container to run", timeoutMs: 10_000 },
  );
  expect(await fleet.cli(["rm", "-f", "victim"])).toMatchObject({ exitCode: 0 });
  expect(await running).toMatchObject({ stdout: "", exitCode: 137 });
});

test("O138, O140: what a container requires is started before it, and removed with it only", async () => {
  const host = ["--host", fleet.hosts[0]?.name ?? ""];
  const sleep = ["busybox", "sleep", "600"];
  await fleet.cli(["create", "--name", "needed", ...host, ...sleep]);
  await fleet.cli(["create", "--name", "needing", "--requires", "needed", ...host, ...sleep]);
  expect(await fleet.cli(["start", "needing"])).toMatchObject({ stdout: "needing\n" });
  const { stdout } = await fleet.cli(["ps", "--filter", "name=need"]);
  expect(stdout.match(/ Up /g)).toHaveLength(2);
  const refused = await fleet.cli(["rm", "-f", "needed"]);
  expect(refused).toMatchObject({ stderr: expect.stringContaining('"needing"'), exitCode: 2 });
  expect(await fleet.cli(["rm", "-f", "--depend", "needed"])).toMatchObject({ exitCode: 0 });
  expect((await fleet.cli(["ps", "-a", "--filter", "name=need"])).stdout).not.toContain("need");
});

test("create and run --replace remove the container of that name first, and no other", async () => {
  const [name, sleep] = ["replaced", ["busybox", "sleep", "600"]];
  const make = async (...args: string[]) => await fleet.cli([...args, "--replace", ...sleep]);
  const first = await make("create", "--name", name);
  const second = await make("run", "-d", "--name", name);
  const third = await make("run", "-d", "--name", name, "--host", fleet.hosts[1]?.name ?? "");
  const ids = [first, second, third].map(({ stdout }) => stdout.trim());
  expect(new Set(ids).size).toBe(3);
  const prefix = ids[2]?.slice(0, 8) ?? "";
  expect(await make("create", "--name", prefix)).toMatchObject({ exitCode: 0 });
  const { stdout } = await fleet.cli(["ps", "-aq", "--no-trunc", "--filter", `name=${name}`]);
  expect(stdout).toBe(`${ids[2]}\n`);
  const refused = await make("create");
  expect(refused).toMatchObject({ stderr: expect.stringContaining("--name"), exitCode: 125 });
  await fleet.cli(["rm", "-f", name, prefix]);
});

test.each([
  ["a command that does not exist", ["busybox", "nonexistent"], 127],
  ["a command that is a directory", ["busybox", "/etc"], 126],
  ["an image that no host has", ["nosuchimage", "true"], 125],
])("podfleet run of %s ends as podman does", async (_name, args, exitCode) => {
  const result = await fleet.cli(["run", ...args]);
  expect(result).toMatchObject({ stdout: "", exitCode });
  expect(result.stderr).toMatch(/^Error: /);
});

test("spreads containers over the hosts", async () => {
  const command = ["sleep", "600"];
  const resources = { cpus: 1 };
  const names = new Set<string>();
  for (const _host of fleet.hosts) {
    const { host } = await runContainer(fleet.client, { command, resources });
    names.add(host.name);
  }
  expect(names.size).toBe(fleet.hosts.length);
});

test("a container is reached by name, id and id prefix from anywhere", async () => {
  const { id } = await runContainer(fleet.client, { name: "web", command: ["sleep", "600"] });
  for (const container of ["web", id, id.slice(0, 12)]) {
    const inspected = await fleet.client.api.containers.inspect.query({ container });
    expect(inspected).toMatchObject({ id, name: "web", state: "running", source: "agent" });
  }
});

test("a fleet whose containers were removed leaves no process, mount or cgroup behind", async () => {
  await removeContainers(fleet.client);
  expect(await fleet.client.api.containers.list.query({ all: true })).toEqual([]);
  for (const { agent } of fleet.hosts) await agent.end("SIGTERM");
  await waitFor(
    async () => {
      const leaks = await Promise.all(
        fleet.hosts.flatMap(({ dataRoot, runRoot, cgroupParent }) => [
          findLeaks(dataRoot, cgroupParent),
          findLeaks(runRoot),
        ]),
      );
      expect(leaks.flat()).toEqual([]);
      return true;
    },
    { what: "nothing to be left" },
  );
});
