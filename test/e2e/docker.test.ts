/** Docker's own CLI against the fleet: Debian's, and the machine's if it has another. */
import { once } from "node:events";

import type { ContainerSpecInput } from "@podfleet/model/container/spec";
import { findDockerClis } from "@podfleet/testkit/docker-cli";
import type { TestTerminal } from "@podfleet/testkit/test-terminal";
import { waitFor } from "@podfleet/testkit/wait-for";
import { execa, execaSync } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";

const programs = findDockerClis();
const ctrlP = "\u0010";
const ctrlQ = "\u0011";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 3 });
  await run({ name: "web", command: ["sleep", "3600"], labels: { tier: "front" } });
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

type Wish = Omit<ContainerSpecInput, "image">;

/** Runs a container on the third host. */
async function run(wish: Wish) {
  return await runContainer(fleet.client, { ...wish, placement: { host: fleet.hosts[2]?.name } });
}

async function create(wish: Wish) {
  const spec = { image: "busybox", ...wish, placement: { host: fleet.hosts[2]?.name } };
  return (await fleet.client.api.containers.create.mutate({ spec })).container;
}

function socketEnvironment() {
  return { HOME: fleet.root, DOCKER_HOST: `unix://${fleet.replicas[0]?.dockerSocket}` };
}

function start(program: string, args: readonly string[], input = "") {
  return execa(program, args, {
    env: socketEnvironment(),
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    timeout: 30_000,
    input,
  });
}

/** Types a line until it takes effect: older CLIs send the window's size after the start, and the shell may not read yet. */
async function typeUntil(window: TestTerminal, line: string, shown: string): Promise<void> {
  const isShown = (): boolean => window.text.includes(shown) || typed();
  const typed = (): false => {
    window.type(`${line}\r`);
    return false;
  };
  await waitFor(isShown, { what: `${line} to show`, intervalMs: 250, timeoutMs: 10_000 }).catch(
    (cause: unknown) => {
      throw new Error(`The terminal shows ${JSON.stringify(window.text)}`, { cause });
    },
  );
}

function major(program: string): number {
  const { stdout } = execaSync(program, ["--version"]);
  return Number(/version (\d+)/.exec(stdout)?.[1]);
}

describe.each(programs)("%s", (program) => {
  const docker = async (...args: string[]) => {
    const { stdout, stderr, exitCode } = await start(program, args);
    return { stdout, stderr, exitCode };
  };

  /** A line of shell on a terminal, in which `docker` is the CLI. */
  const terminal = (line: string, size = { width: 80, height: 24 }) => {
    const { HOME, DOCKER_HOST } = socketEnvironment();
    const set = `export HOME=${HOME} DOCKER_HOST=${DOCKER_HOST}; docker() { ${program} "$@"; };`;
    return fleet.terminal(`${set} ${line}`, { size });
  };

  test("ps, inspect, top and info show the containers of all hosts", async () => {
    const format = "{{.Names}} {{.Image}} {{.State}} {{.Status}}";
    const { stdout } = await docker("ps", "--filter", "label=tier=front", "--format", format);
    expect(stdout).toMatch(/^web busybox running Up .+\n$/);
    const inspected = await docker("inspect", "web", "--format", "{{.State.Running}} {{.Name}}");
    expect(inspected).toEqual({ stdout: "true /web\n", stderr: "", exitCode: 0 });
    const [whole] = JSON.parse((await docker("inspect", "web")).stdout);
    expect(whole.Host.Name).toBe(fleet.hosts[2]?.name);
    expect((await docker("top", "web")).stdout).toMatch(/sleep 3600/);
    expect((await docker("info")).stdout).toContain("podfleet, 3 hosts");
    expect((await docker("inspect", "nobody")).exitCode).toBe(1);
  });

  test("E1, O3: exec has the streams and the exit code of the command", async () => {
    const result = await docker("exec", "web", "sh", "-c", "echo out; echo err >&2; exit 42");
    expect(result).toEqual({ stdout: "out\n", stderr: "err\n", exitCode: 42 });
    const missing = await docker("exec", "web", "nosuch");
    expect(missing.exitCode).toBe(127);
    expect(missing.stdout + missing.stderr).toContain("nosuch");
    const stopped = await create({ command: ["true"] });
    const refused = await docker("exec", stopped.id, "true");
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("not running") });
  });

  test("exec -i passes input to its end, byte for byte", async () => {
    const input = "x".repeat(200_000);
    const { stdout, exitCode } = await start(program, ["exec", "-i", "web", "cat"], input);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(input);
  });

  test("exec -it: a terminal with its window's size, keys, and the exit code", async () => {
    const size = { width: 100, height: 30 };
    await using window = terminal("docker exec -it web sh; echo [$?]", size);
    await typeUntil(window, "stty size", "30 100\r\n");
    window.resize({ width: 90, height: 20 });
    await typeUntil(window, "stty size", "20 90\r\n");
    window.type("exit 7\r");
    await window.printed(/\[7\]/);
    expect(await window.ended()).toBe(0);
  });

  test("E3, O33: exec -it of a command that does not exist ends with 127, the terminal as before", async () => {
    await using window = terminal("docker exec -it web nosuch; echo [$?]");
    await window.printed(/nosuch[^]*\[127\]\r\n/);
    expect(await window.ended()).toBe(0);
  });

  test("attach: output, input, size, detach keys, and the exit code", async () => {
    const { id } = await run({ command: ["sh"], tty: true, stdin: true });
    const size = { width: 111, height: 33 };
    await using window = terminal(`docker attach ${id}; echo [$?]`, size);
    await typeUntil(window, "stty size", "33 111\r\n");
    window.type(`echo one${ctrlP}${ctrlQ}`);
    await window.printed(/\[[01]\]/);
    expect((await fleet.client.api.containers.inspect.query({ container: id })).state).toBe(
      "running",
    );
    await using again = terminal(`docker attach ${id}; echo [$?]`);
    again.type("\r");
    await again.printed(/one\r\n/);
    again.type("exit 9\r");
    await again.printed(/\[9\]/);
  });

  test("O53: attach --detach-keys", async () => {
    const { id } = await run({ command: ["sh"], tty: true, stdin: true });
    await using window = terminal(`docker attach --detach-keys ctrl-a,a ${id}; echo [$?]`);
    await typeUntil(window, "echo $((6 * 7))", "\n42\r\n");
    window.type("\u0001a");
    await window.printed(/\[[01]\]/);
    expect((await fleet.client.api.containers.inspect.query({ container: id })).state).toBe(
      "running",
    );
  });

  test("O49: start -a and start -ai show this run, and end with its code", async () => {
    const first = await create({ command: ["sh", "-c", "echo started; exit 3"] });
    expect(await docker("start", "-a", first.id)).toMatchObject({
      stdout: "started\n",
      exitCode: 3,
    });
    expect(await docker("start", "-a", first.id)).toMatchObject({
      stdout: "started\n",
      exitCode: 3,
    });
    const reader = await create({ command: ["wc", "-c"], stdin: true });
    const counted = await start(program, ["start", "-ai", reader.id], "12345");
    expect(counted).toMatchObject({ stdout: "5\n", exitCode: 0 });
  });

  // Version 28 may end on a signal before it has passed it on.
  test.skipIf(major(program) >= 28)("O46: signals of a client reach the command", async () => {
    const script = "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.1; done";
    const { id } = await create({ command: ["sh", "-c", script] });
    const attached = start(program, ["start", "-a", id]);
    await waitFor(async () => (await docker("logs", id)).stdout.includes("ready"), {
      what: "the trap",
    });
    attached.kill("SIGTERM");
    expect(await attached).toMatchObject({ stdout: "ready\ncaught\n", exitCode: 5 });
  });

  test("L2: logs -f follows to the end; --tail, --since and -t are exact", async () => {
    const script = "for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done";
    const { id } = await run({ command: ["sh", "-c", script] });
    const followed = await docker("logs", "-f", id);
    expect(followed.stdout).toBe("line 1\nline 2\nline 3\nline 4\nline 5\n");
    expect((await docker("logs", "--tail", "2", id)).stdout).toBe("line 4\nline 5\n");
    const stamped = (await docker("logs", "-t", id)).stdout.split("\n");
    expect(stamped[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 1$/);
    const since = stamped[3]?.split(" ")[0] ?? "";
    expect((await docker("logs", "--since", since, id)).stdout).toBe("line 4\nline 5\n");
    expect((await docker("logs", "--until", since, id)).stdout).toBe("line 1\nline 2\nline 3\n");
  });

  test("wait, stop, kill, restart, pause, unpause, rename and rm", async () => {
    const { id } = await run({
      command: ["sh", "-c", "trap 'exit 4' TERM; while :; do sleep 0.1; done"],
    });
    const waiting = docker("wait", id);
    expect((await docker("pause", id)).exitCode).toBe(0);
    expect((await docker("unpause", id)).exitCode).toBe(0);
    expect((await docker("rename", id, `renamed-${id.slice(0, 6)}`)).exitCode).toBe(0);
    expect((await docker("stop", id)).exitCode).toBe(0);
    expect((await waiting).stdout).toBe("4\n");
    expect((await docker("stop", id)).exitCode).toBe(0);
    expect((await docker("restart", id)).exitCode).toBe(0);
    const refused = await docker("rm", id);
    expect(refused.exitCode).toBe(1);
    expect((await docker("kill", "-s", "KILL", id)).exitCode).toBe(0);
    expect((await docker("wait", id)).stdout).toBe("137\n");
    expect((await docker("rm", id)).exitCode).toBe(0);
    expect((await docker("inspect", id)).exitCode).toBe(1);
  });

  test("podfleet docker env points it at the control plane, with the token and without one", async () => {
    const socket = fleet.replicas[0]?.dockerSocket;
    for (const flags of ["", `--socket ${socket}`]) {
      const line = `eval "$(podfleet docker env ${flags})"; env | grep ^DOCKER; docker() { ${program} "$@"; }; docker exec web echo by $DOCKER_HOST`;
      await using window = fleet.terminal(`export HOME=${fleet.root}; ${line}`);
      await window.printed(flags === "" ? /by tcp:\/\/127\.0\.0\.1/ : /by unix:\/\//);
      expect(await window.ended()).toBe(0);
    }
    const env = { HOME: fleet.root, DOCKER_HOST: fleet.client.url.replace("http", "tcp") };
    const stranger = await execa(program, ["ps"], { env, extendEnv: false, reject: false });
    expect(stranger.exitCode).toBe(1);
    expect(stranger.stderr).toContain("API token");
  });
});

describe.skipIf(programs.length === 0)("while parts of the fleet die", () => {
  test("an exec goes on when its host's agent is killed, and no byte is lost", async () => {
    const [program = ""] = programs;
    const script = "i=0; while [ $i -lt 30 ]; do i=$((i + 1)); echo $i; sleep 0.1; done; exit 6";
    const { id } = await run({ command: ["sleep", "600"] });
    const attached = start(program, ["exec", id, "sh", "-c", script]);
    const agent = fleet.hosts[2]?.agent;
    await once(attached.stdout, "data");
    await agent?.end("SIGKILL");
    agent?.start();
    const { stdout, exitCode } = await attached;
    expect(stdout).toBe(Array.from({ length: 30 }, (_, index) => `${index + 1}\n`).join(""));
    expect(exitCode).toBe(6);
  });
});
