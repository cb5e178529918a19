/** Sessions, by the CLI: list, resume and end. */
import type { TestTerminal } from "@podfleet/testkit/test-terminal";
import { eventually, waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 2, replicas: 1 });
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

const detach = "\u0010\u0011";

async function session(...words: string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await fleet.cli(["session", ...words]);
  expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
  return stdout;
}

/** The id of the one session on a container. */
async function sessionOn(container: string): Promise<string> {
  return (await session("ls", "--all", "--quiet", "--container", container)).trim();
}

/** A shell in a container of its own, by `run` or `exec`. */
async function shellIn(container: string, verb: "run" | "exec"): Promise<TestTerminal> {
  const run = `podfleet run -it --name ${container} busybox sh; echo [$?]`;
  const exec = `podfleet exec -it ${container} sh; echo [$?]`;
  if (verb === "exec") {
    await runContainer(fleet.client, { name: container, command: ["sleep", "3600"] });
  }
  const terminal = fleet.terminal(verb === "run" ? run : exec);
  await terminal.printed(/# /);
  return terminal;
}

describe("session ls", () => {
  test("shows who is attached to what, where, and since when", async () => {
    await using terminal = await shellIn("listed", "exec");
    const [heading, row, ...more] = (await session("ls", "--container", "listed"))
      .trimEnd()
      .split("\n");
    expect(heading).toMatch(/^SESSION +CONTAINER +COMMAND +HOST +STATE +CALLER +OPENED$/);
    expect(row).toMatch(/^[0-9a-f-]{36} +listed +exec [0-9a-f]{12} +\S+ +connected +test +.* ago$/);
    expect(more).toEqual([]);
    terminal.type(detach);
    expect(await terminal.ended()).toBe(0);
    expect(await session("ls", "--container", "listed")).toMatch(/ detached .* ago /);
    const [shown] = JSON.parse(await session("inspect", await sessionOn("listed"))) as object[];
    expect(shown).toMatchObject({ containerName: "listed", tty: true, detached: true });
  });

  test("of a command that has ended, shows how, with --all", async () => {
    await fleet.cli(["run", "--name", "over", "busybox", "sh", "-c", "exit 4"]);
    expect(await session("ls", "--container", "over", "--noheading")).toBe("");
    const ended = await session("ls", "--all", "--container", "over", "--format", "state,command");
    expect(ended).toMatch(/^STATE +COMMAND\nexited \(4\).* ago +run 1\n$/);
  });
});

describe.each(["run", "exec"] as const)("session resume, of %s", (verb) => {
  const name = `resumed-${verb}`;

  test("goes on where it was left, from another terminal, by a prefix of its id", async () => {
    await using first = await shellIn(name, verb);
    first.type("x=kept; (until [ -e /go ]; do sleep 0.05; done; echo missed; touch /gone) &\r");
    await first.printed(/gone\) &\r\n[^]*# /);
    first.type(detach);
    await first.printed(/podfleet session resume [0-9a-f-]{36}[^]*\[0\]/);
    const id = await sessionOn(name);
    const waiting = "touch /go; until [ -e /gone ]; do sleep 0.05; done";
    expect(await fleet.cli(["exec", name, "sh", "-c", waiting])).toMatchObject({ exitCode: 0 });

    const size = { width: 70, height: 20 };
    await using second = fleet.terminal(`podfleet session resume ${id.slice(0, -2)}; echo [$?]`, {
      size,
    });
    await second.printed(/missed\r\n/);
    expect(second.text).not.toContain("x=kept");
    second.type('until [ "$(stty size)" = "20 70" ]; do sleep 0.1; done; echo $x\r');
    await second.printed(/\nkept\r\n/);
    second.type("exit 6\r");
    await second.printed(/\[6\]/);
  });

  test("a session that has ended cannot be resumed", async () => {
    const id = await sessionOn(name);
    const { stderr, exitCode } = await fleet.cli(["session", "resume", id]);
    expect(exitCode).toBe(125);
    expect(stderr).toMatch(/^Error: .*session/i);
  });
});

test("a session that is resumed elsewhere leaves its first terminal, which says so", async () => {
  await using first = await shellIn("taken", "exec");
  await using second = fleet.terminal(
    `podfleet session resume ${await sessionOn("taken")}; echo [$?]`,
  );
  await first.printed(/Error: [^]*\[125\]/);
  second.type("\rexit 2\r");
  await second.printed(/\[2\]/);
  expect(await second.ended()).toBe(0);
});

test("a client that is killed leaves a session that can be resumed", async () => {
  await runContainer(fleet.client, { name: "orphan", command: ["sleep", "3600"] });
  await using first = fleet.terminal("exec podfleet exec -it orphan sh");
  await first.printed(/# /);
  first.type("x=$((40 + 2))\r");
  await first.printed(/2\)\)\r\n[^]*# /);
  process.kill(first.pid, "SIGKILL");
  expect(await first.ended()).toBe(137);
  await waitFor(
    async () => (await session("ls", "--container", "orphan")).includes("disconnected"),
    { what: "the session to be disconnected" },
  );
  await using second = fleet.terminal(
    `podfleet session resume ${await sessionOn("orphan")}; echo [$?]`,
  );
  second.type("echo $x; exit 1\r");
  await second.printed(/42\r\n[^]*\[1\]/);
});

describe("--on-disconnect", () => {
  test.each([
    ["kill:1s", "exited"],
    ["keep:1s", "running"],
  ])("%s: the command is %s after that", async (onDisconnect, state) => {
    const name = `lost-${state}`;
    const flags = `-it --on-disconnect ${onDisconnect} --name ${name}`;
    await using terminal = fleet.terminal(`exec podfleet run ${flags} busybox sh`);
    await terminal.printed(/# /);
    process.kill(terminal.pid, "SIGKILL");
    await waitFor(
      async () => (await session("ls", "--all", "--container", name)).includes("expired"),
      { what: "the session to expire", timeoutMs: 20_000 },
    );
    // The container's end is cleaned up after that of the session.
    await eventually(async () => {
      const container = await fleet.client.api.containers.inspect.query({ container: name });
      expect(container.state).toBe(state);
    });
  });

  test("an interactive command of exec is hung up on, and its shell ends", async () => {
    await runContainer(fleet.client, { name: "hung-up", command: ["sleep", "3600"] });
    await using usual = fleet.terminal("exec podfleet exec -it hung-up sh");
    await usual.printed(/# /);
    const columns = ["--container", "hung-up", "--format", "disconnect", "--noheading"];
    expect(await session("ls", ...columns)).toBe("hangup:600s\n");
    usual.type("exit\r");
    await using soon = fleet.terminal(
      "exec podfleet exec -it --on-disconnect hangup:1s hung-up sh",
    );
    await soon.printed(/# /);
    process.kill(soon.pid, "SIGKILL");
    const running = async () => await fleet.client.api.exec.list.query({ container: "hung-up" });
    await waitFor(async () => (await running()).length === 0, {
      what: "the shell to end",
      timeoutMs: 20_000,
    });
  });

  test.each(["sometimes", "kill:never", "keep:2y", ""])("%j is refused", async (text) => {
    const words = ["run", "--on-disconnect", text, "busybox", "true"];
    const { stderr, exitCode } = await fleet.cli(words);
    expect(exitCode).toBe(125);
    expect(stderr).toContain(`--on-disconnect ${JSON.stringify(text)}: must be one of "keep"`);
  });
});

describe("session kill", () => {
  test("kills the command that exec started, and its client says so", async () => {
    await using terminal = await shellIn("killed", "exec");
    const id = await sessionOn("killed");
    expect(await session("kill", id)).toBe(`${id}\n`);
    await terminal.printed(/\[(125|137)\]/);
    expect(await terminal.ended()).toBe(0);
    const execs = await fleet.client.api.exec.list.query({ container: "killed" });
    expect(execs).toEqual([]);
    expect(await session("kill", id)).toBe(`${id}\n`);
  });

  test("leaves a container running", async () => {
    await using terminal = await shellIn("spared", "run");
    await session("kill", await sessionOn("spared"));
    await terminal.printed(/Error: [^]*\[125\]/);
    const { state } = await fleet.client.api.containers.inspect.query({ container: "spared" });
    expect(state).toBe("running");
  });

  test("an id that no session has", async () => {
    const { stderr, exitCode } = await fleet.cli(["session", "kill", "0123"]);
    expect(exitCode).toBe(125);
    expect(stderr).toMatch(/^Error: Cannot find session "0123"/);
  });
});

describe("session replay", () => {
  test("shows what was written, with its pauses", async () => {
    await runContainer(fleet.client, { name: "film", command: ["sleep", "3600"] });
    const script = "echo one; sleep 0.5; echo two >&2; printf three";
    await fleet.cli(["exec", "film", "sh", "-c", script]);
    const id = await sessionOn("film");
    // The pause takes more than a minute, in which the others are over.
    await using slow = fleet.terminal(`exec podfleet session replay --speed 0.005 ${id}`);
    await slow.printed(/one\r\n/);
    for (const flags of [[], ["--no-wait"], ["--speed", "3"], ["--idle-time-limit", "100ms"]]) {
      const result = await fleet.cli(["session", "replay", ...flags, id]);
      expect(result).toEqual({ stdout: "one\nthree", stderr: "two\n", exitCode: 0 });
    }
    const short = ["--speed", "0.005", "--idle-time-limit", "100ms"];
    expect((await fleet.cli(["session", "replay", ...short, id])).exitCode).toBe(0);
    expect(slow.text).toBe("one\r\n");
  });

  test("of a terminal, draws what was on it", async () => {
    await using terminal = await shellIn("screen", "run");
    terminal.type("stty cols 60 rows 10; echo '^^drawn^^'\r");
    await terminal.printed(/\n\^\^drawn\^\^\r\n/);
    terminal.type("exit\r");
    await terminal.printed(/\[0\]/);
    const id = await sessionOn("screen");
    await using again = fleet.terminal(`podfleet session replay --no-wait ${id}`);
    await again.shows((rows) => expect(rows.join("\n")).toMatch(/^\^\^drawn\^\^$/m));
    expect(await again.ended()).toBe(0);
  });

  test.each([
    ["--speed", "0"],
    ["--speed", "fast"],
    ["--idle-time-limit", "soon"],
  ])("%s %s is refused", async (flag, value) => {
    const { stderr, exitCode } = await fleet.cli(["session", "replay", flag, value, "0"]);
    expect(exitCode).toBe(125);
    expect(stderr).toContain(`Cannot use ${flag} ${JSON.stringify(value)}: must be`);
  });
});

test("of a host that does not answer, the list says so", async () => {
  const [, second] = fleet.hosts;
  await second?.agent.end("SIGKILL");
  const { stdout, stderr, exitCode } = await fleet.cli(["session", "ls"]);
  expect(stdout).toMatch(/^SESSION/);
  expect(stderr).toContain(`Warning: Host "${second?.name}" does not answer`);
  expect(exitCode).toBe(0);
  second?.agent.start();
  await fleet.ready();
});
