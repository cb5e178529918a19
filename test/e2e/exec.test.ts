/** Commands in running containers, by the client and by the CLI. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { execIdSchema, newOperationId } from "@podfleet/model/ids";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 2 });
  const placement = { host: fleet.hosts[1]?.name };
  await runContainer(fleet.client, { name: "web", command: ["sleep", "600"], placement });
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

const web = { container: "web" };

async function exec(...words: string[]) {
  return await fleet.cli(["exec", ...words]);
}

describe("podfleet exec", () => {
  test("E1, O1: writes both streams to their descriptors and ends with the exit code", async () => {
    const result = await exec("web", "sh", "-c", "echo out; echo err >&2; exit 42");
    expect(result).toEqual({ stdout: "out\n", stderr: "err\n", exitCode: 42 });
  });

  test("E4: takes podman's flags, and leaves the command's own alone", async () => {
    const script = 'echo "$A $PWD $(id -u)"';
    const flags = ["-e", "A=b", "-w", "/tmp", "-u", "app", "--privileged"];
    const result = await exec(...flags, "web", "sh", "-c", script);
    expect(result).toEqual({ stdout: "b /tmp 1000\n", stderr: "", exitCode: 0 });
    expect((await exec("-t", "web", "tty")).stdout).toBe("/dev/pts/0\r\n");
    expect((await exec("web", "echo", "-t", "--privileged")).stdout).toBe("-t --privileged\n");
  });

  test.each([
    ["E2: a command that does not exist", ["web", "nosuch"], 127],
    ["E2: a directory", ["web", "/etc"], 126],
    ["a container that does not exist", ["nobody", "true"], 125],
    ["O5: no command", ["web"], 125],
    ["O57: keys that are none", ["--detach-keys", "ctrl-1", "web", "true"], 125],
  ])("%s ends as podman does", async (_name, words, exitCode) => {
    const result = await exec(...words);
    expect(result).toMatchObject({ stdout: "", exitCode });
    expect(result.stderr).toMatch(/^Error: /);
  });

  test("E3, O6: a container that does not run ends it with 126, its state named", async () => {
    await fleet.cli(["create", "--name", "idle", "busybox", "true"]);
    const result = await exec("idle", "true");
    expect(result.exitCode).toBe(126);
    expect(result.stderr).toContain('state is "configured"');
  });

  test("E6: detached, it prints the session's id, whose end stays readable", async () => {
    const { stdout, exitCode } = await exec("-d", "web", "sh", "-c", "exit 9");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^[0-9a-f]{64}\n$/);
    const session = { ...web, exec: execIdSchema.parse(stdout.trim()) };
    const { api } = fleet.client;
    expect(await api.exec.wait.mutate(session)).toMatchObject({ exitCode: 9 });
    expect(await api.exec.inspect.query(session)).toMatchObject({ state: "exited", exitCode: 9 });
    expect(await api.exec.list.query(web)).toEqual([]);
    const all = await api.exec.list.query({ ...web, all: true });
    expect(all.map(({ id }) => id)).toContain(session.exec);
  });

  test("E9: what is written to further descriptors arrives at the caller's own", async () => {
    const file = join(fleet.root, "result.txt");
    const podfleet = join(import.meta.dirname, "../../apps/cli/bin/podfleet.mjs");
    const words = `exec --preserve-fds 1 web sh -c 'echo result >&3; echo out' 3>${file}`;
    const env = { PODFLEET_URL: fleet.client.url, PODFLEET_TOKEN: fleet.token };
    const { stdout } = await execa("bash", ["-c", `${process.execPath} ${podfleet} ${words}`], {
      env,
    });
    expect(stdout).toBe("out");
    expect(await readFile(file, "utf8")).toBe("result\n");
    const none = await exec("--preserve-fds", "1", "web", "true");
    expect(none).toMatchObject({ exitCode: 125, stderr: expect.stringContaining("descriptor 3") });
  });
});

describe("the client", () => {
  test("O10: gives the output back byte for byte, and the exit code", async () => {
    const script =
      "head -c 300000 /dev/urandom > /tmp/r; sha256sum < /tmp/r >&2; cat /tmp/r; exit 3";
    const run = await fleet.client.exec({ ...web, spec: { command: ["sh", "-c", script] } });
    const parts = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
    for await (const records of run.output()) {
      for (const { stream, bytes, endsLine } of records) {
        parts[stream].push(bytes);
        if (endsLine) parts[stream].push(Buffer.from("\n"));
      }
    }
    expect((await run.wait()).exitCode).toBe(3);
    const digest = await crypto.subtle.digest("SHA-256", Buffer.concat(parts.stdout));
    expect(Buffer.concat(parts.stderr).toString()).toBe(
      `${Buffer.from(digest).toString("hex")}  -\n`,
    );
  });

  test("E7: a command outlives its host's agent, and its output is whole", async () => {
    const script = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.5; done; exit 6";
    const run = await fleet.client.exec({ ...web, spec: { command: ["sh", "-c", script] } });
    const agent = fleet.hosts[1]?.agent;
    await agent?.end("SIGKILL");
    agent?.start();
    let stdout = "";
    for await (const records of run.output({ whenHostSilent: "retry" })) {
      stdout += records.map(({ bytes }) => `${Buffer.from(bytes).toString()}\n`).join("");
    }
    expect(stdout).toBe("1\n2\n3\n4\n5\n6\n7\n8\n");
    expect((await run.wait({ whenHostSilent: "retry" })).exitCode).toBe(6);
  });

  test("O31: a command whose time is up is killed", async () => {
    const spec = { command: ["sleep", "600"], timeoutSeconds: 1 };
    const run = await fleet.client.exec({ ...web, spec });
    expect(await run.wait()).toMatchObject({ state: "exited", timedOut: true });
  });

  test("O16: a repeated start runs the command once", async () => {
    const operationId = newOperationId();
    const request = { ...web, operationId, spec: { command: ["sh", "-c", "echo x >> /tmp/once"] } };
    const [first, second] = [await fleet.client.exec(request), await fleet.client.exec(request)];
    expect(second.id).toBe(first.id);
    await first.wait();
    expect((await exec("web", "cat", "/tmp/once")).stdout).toBe("x\n");
  });
});
