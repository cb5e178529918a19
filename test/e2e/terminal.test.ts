/** The CLI on a terminal and with input, as its user sees it. */
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { testEffort } from "@podfleet/testkit/effort";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 2 });
  await runContainer(fleet.client, { name: "web", command: ["sleep", "3600"] });
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

const ctrlC = "\u0003";
const ctrlD = "\u0004";
const ctrlP = "\u0010";
const ctrlQ = "\u0011";

/** Shows the code of each key that it gets, until it gets a "q". */
const showKeys = `sh -c 'stty raw -echo; echo ready; until [ "$k" = " 71" ]; do
  k=$(dd bs=1 count=1 2>/dev/null | od -An -tx1); printf "<%s>" $k; done'`;

async function stateOf(container: string): Promise<string> {
  return (await fleet.client.api.containers.inspect.query({ container })).state;
}

describe("run -it", () => {
  test("A6: the window's size is there at once, and follows it", async () => {
    const script =
      "trap 'echo WINCH; stty size' WINCH; stty size; echo ready; while :; do sleep 0.1; done";
    await using terminal = fleet.terminal(`podfleet run -it --rm busybox sh -c "${script}"`, {
      size: { width: 132, height: 50 },
    });
    await terminal.printed(/^50 132\r\nready\r\n/);
    terminal.resize({ width: 90, height: 30 });
    await terminal.printed(/ready\r\nWINCH\r\n30 90\r\n/);
    terminal.type(ctrlC);
    expect(await terminal.ended()).toBe(130);
  });

  test("keys go to the command, ctrl-c too; the exit code is its own, and the terminal as before", async () => {
    await using terminal = fleet.terminal(
      "stty -a; podfleet run -it --rm busybox sh; echo [$?]; stty -a; echo over",
    );
    await terminal.printed(/# /);
    terminal.type("sh -c 'echo sleeping; exec sleep 600'\r");
    await terminal.printed(/\nsleeping\r\n/);
    terminal.type(ctrlC);
    terminal.type("echo after $?\r");
    await terminal.printed(/\nafter 130\r\n/);
    terminal.type("exit 7\r");
    await terminal.printed(/over/);
    expect(terminal.text).toContain("[7]");
    const [before, after] = terminal.text.match(/speed [^]*?-extproc/g) ?? [];
    expect(before).toBeDefined();
    expect(after).toBe(before);
  });

  test("ctrl-d ends the input; --rm leaves nothing", async () => {
    const name = "short-lived";
    await using terminal = fleet.terminal(`podfleet run -it --rm --name ${name} busybox cat`);
    await waitFor(async () => (await stateOf(name)) === "running", { what: "the container" });
    terminal.type("line\r");
    await terminal.printed(/line\r\nline\r\n/);
    terminal.type(ctrlD);
    expect(await terminal.ended()).toBe(0);
    await waitFor(async () => (await fleet.cli(["inspect", name])).exitCode === 125, {
      what: "the container to be removed",
    });
  });

  test("what the command writes is on the screen as it meant it", async () => {
    const script = String.raw`stty raw -echo; printf 'one\n\btwo\r\033[2Cx'; sleep 600`;
    await using terminal = fleet.terminal(`podfleet run -it --rm busybox sh -c "${script}"`);
    await terminal.shows((rows) => expect(rows.slice(0, 2)).toEqual(["one", "  xwo"]));
    terminal.type(`${ctrlP}${ctrlQ}`);
    expect(await terminal.ended()).toBe(0);
  });
});

describe("exec -it", () => {
  test("runs a shell in the window, and ends with its exit code", async () => {
    const size = { width: 100, height: 40 };
    await using terminal = fleet.terminal("podfleet exec -it web sh; echo [$?]", { size });
    await terminal.printed(/# /);
    terminal.type("stty size; tty; echo $TERM\r");
    await terminal.printed(/\n40 100\r\n\/dev\/pts\/\d+\r\nxterm\r\n/);
    terminal.type("exit 42\r");
    await terminal.printed(/\[42\]/);
    expect(await terminal.ended()).toBe(0);
  });

  test.each([
    ["nosuch", 127],
    ["/etc", 126],
  ])("O33: of %s, it says so, ends with %d and leaves the terminal alone", async (name, code) => {
    const line = `stty -a; podfleet exec -it web ${name}; echo [$?]; stty -a; echo over`;
    await using terminal = fleet.terminal(line);
    await terminal.printed(/over/);
    expect(terminal.text).toMatch(new RegExp(`Error: .*${name}[^]*\\[${code}\\]`));
    const [before, after] = terminal.text.match(/speed [^]*?-extproc/g) ?? [];
    expect(after).toBe(before);
  });
});

describe("detach keys", () => {
  test("A7, O52: they leave the container running, and attach finds its shell", async () => {
    await using terminal = fleet.terminal("podfleet run -it --name left busybox sh; echo [$?]");
    await terminal.printed(/# /);
    terminal.type("x=kept\r");
    await terminal.printed(/x=kept\r\n[^]*# /);
    terminal.type(`${ctrlP}${ctrlQ}`);
    await terminal.printed(/detached from "left"[^]*\[0\]/);
    expect(await stateOf("left")).toBe("running");

    await using again = fleet.terminal("podfleet attach left; echo [$?]");
    again.type("\r");
    await again.printed(/# /);
    again.type("echo $x\r");
    await again.printed(/\nkept\r\n/);
    again.type("exit 3\r");
    await again.printed(/\[3\]/);
    await fleet.cli(["rm", "left"]);
  });

  test("A8: keys that only begin like them are delivered, at once or after a while", async () => {
    await using terminal = fleet.terminal(`podfleet exec -it web ${showKeys}`);
    await terminal.printed(/ready/);
    terminal.type(`${ctrlP}x`);
    await terminal.printed(/<10><78>/);
    terminal.type(ctrlP);
    await terminal.printed(/<78><10>/);
    terminal.type(`${ctrlQ}y`);
    await terminal.printed(/<10><11><79>/);
    terminal.type(`${ctrlP}${ctrlQ}`);
    expect(await terminal.ended()).toBe(0);
    expect(terminal.text).toMatch(/<79>[^<]*detached/);
  });

  test.each([
    ["A9: of one's own", "--detach-keys a,b", "xab", "<78>"],
    ["A9: a key that is none elsewhere", "--detach-keys ctrl-@", "x\0", "<78>"],
    ["O53: those of the environment", "", "x\u0006", "<78>"],
    [
      "O53: the flag goes before the environment",
      "--detach-keys ctrl-a,a",
      "\u0006\u0001a",
      "<06>",
    ],
  ])("%s", async (_what, flags, typed, delivered) => {
    const line = `PODFLEET_DETACH_KEYS=ctrl-f podfleet exec -it ${flags} web ${showKeys}`;
    await using terminal = fleet.terminal(`${line}; echo [$?]`);
    await terminal.printed(/ready\r?\n/);
    terminal.type(typed);
    const [, id] = await terminal.printed(/resume ([0-9a-f-]+)[^]*\[0\]/);
    await using again = fleet.terminal(`podfleet session resume ${id}`);
    again.type("q");
    expect(await again.ended()).toBe(0);
    expect((terminal.text + again.text).match(/<\w\w>/g)?.join("")).toBe(`${delivered}<71>`);
  });

  test("A9: empty, nothing leaves the session", async () => {
    await using terminal = fleet.terminal(`podfleet exec -it --detach-keys "" web ${showKeys}`);
    await terminal.printed(/ready/);
    terminal.type(`${ctrlP}${ctrlQ}q`);
    await terminal.printed(/<10><11><71>/);
    expect(await terminal.ended()).toBe(0);
  });

  test.each(["nonsense", "ctrl-A,a", "ctrl-1", "a,,b"])(
    "O57: %s are none, which is said before anything runs",
    async (text) => {
      const commands = [
        ["run", "-it", "busybox", "true"],
        ["exec", "-it", "web", "true"],
        ["attach", "web"],
        ["start", "-ai", "web"],
      ];
      for (const [verb = "", ...words] of commands) {
        const { stderr, exitCode } = await fleet.cli([verb, "--detach-keys", text, ...words]);
        expect(exitCode).toBe(125);
        expect(stderr).toContain(`--detach-keys ${JSON.stringify(text)}: must be keys`);
      }
    },
  );
});

describe("attach", () => {
  test("A2: two on one container see what one types; each leaves without the other", async () => {
    // Not a shell that queries the cursor's position: it would get two answers.
    const script = 'while read -r line && [ "$line" != bye ]; do echo "got $line"; done; exit 5';
    const spec = { name: "shared", command: ["sh", "-c", script], tty: true, stdin: true };
    await runContainer(fleet.client, spec);
    await using one = fleet.terminal("podfleet attach shared");
    await using two = fleet.terminal("podfleet attach shared");
    const sessions = async () => await fleet.cli(["session", "ls", "--container", "shared", "-q"]);
    await waitFor(async () => (await sessions()).stdout.split("\n").length === 3, {
      what: "two sessions",
    });
    one.type("hello\r");
    await Promise.all([one.printed(/got hello\r\n/), two.printed(/got hello\r\n/)]);
    two.type("hello too\r");
    await Promise.all([one.printed(/got hello too\r\n/), two.printed(/got hello too\r\n/)]);
    two.type(`${ctrlP}${ctrlQ}`);
    expect(await two.ended()).toBe(0);
    one.type("bye\r");
    expect(await one.ended()).toBe(5);
  });

  test("A3: one that is stopped holds up neither the command nor the others, and misses nothing", async () => {
    const command = ["sh", "-c", "read go; seq 1 500000; echo over >&2"];
    await runContainer(fleet.client, { name: "stalled", command, stdin: true });
    const file = join(fleet.root, "stalled.txt");
    await using stopped = fleet.terminal(`exec podfleet attach --no-stdin stalled > ${file}`);
    const words = ["session", "ls", "--container", "stalled", "-q"];
    await waitFor(async () => (await fleet.cli(words)).stdout !== "", { what: "a session" });
    process.kill(stopped.pid, "SIGSTOP");
    const other = await fleet.cli(["attach", "stalled"], { input: "go\n" });
    expect(other).toMatchObject({ stderr: "over\n", exitCode: 0 });
    expect(other.stdout === lines(500_000)).toBe(true);
    process.kill(stopped.pid, "SIGCONT");
    expect(await stopped.ended()).toBe(0);
    expect((await readFile(file, "utf8")) === other.stdout).toBe(true);
  });

  test("A5: a container without input says so once, and its output is there", async () => {
    const script = "while :; do echo tick; sleep 0.2; done";
    await runContainer(fleet.client, { name: "deaf", command: ["sh", "-c", script] });
    await using terminal = fleet.terminal("exec podfleet attach --sig-proxy=false deaf");
    await terminal.printed(/tick\r\n/);
    terminal.type("a\r");
    await terminal.printed(/"deaf" takes no input/);
    const from = terminal.text.length;
    terminal.type("b\r");
    await terminal.printed(/tick\r\n[^]*tick\r\n/, { from });
    expect(terminal.text.match(/takes no input/g)).toHaveLength(1);
    terminal.type(ctrlC);
    expect(await terminal.ended()).toBe(130);
    expect(await stateOf("deaf")).toBe("running");
    await fleet.cli(["rm", "-f", "deaf"]);
  });

  test.each(["configured", "exited"])(
    "A10, O38: a container that is %s is refused",
    async (state) => {
      if (state === "configured") await fleet.cli(["create", "--name", state, "busybox", "true"]);
      else await fleet.cli(["run", "--name", state, "busybox", "true"]);
      const { stderr, exitCode } = await fleet.cli(["attach", state]);
      expect(exitCode).toBe(125);
      expect(stderr).toMatch(new RegExp(`^Error: .*"${state}": state is "${state}"`));
    },
  );

  test("A11, O43: when the container ends, all output is there, and its exit code", async () => {
    const script = "read line; seq 1 20000; exit 9";
    const spec = { name: "ending", command: ["sh", "-c", script], stdin: true };
    await runContainer(fleet.client, spec);
    const { stdout, exitCode } = await fleet.cli(["attach", "ending"], { input: "go\n" });
    expect(exitCode).toBe(9);
    expect(stdout === lines(20_000)).toBe(true);
  });

  test("--no-stdin leaves the input to others", async () => {
    await runContainer(fleet.client, { name: "watched", command: ["cat"], stdin: true });
    const watcher = fleet.cli(["attach", "--no-stdin", "watched"], { input: "ignored\n" });
    const words = ["session", "ls", "--container", "watched", "--format", "input", "--noheading"];
    await waitFor(async () => (await fleet.cli(words)).stdout === "none\n", {
      what: "the watcher to be there",
    });
    await fleet.cli(["attach", "watched"], { input: "heard\n" });
    expect(await watcher).toEqual({ stdout: "heard\n", stderr: "", exitCode: 0 });
  });
});

describe("output from byte 0", () => {
  test("A1: of runs that end at once", async () => {
    const { client } = fleet;
    for (let round = 1; round <= 25 * testEffort; round += 1) {
      const spec = { image: "busybox", command: ["echo", `x${round}`], autoRemove: true };
      const { container } = await client.api.containers.create.mutate({ spec });
      const request = { container: container.id, spec: { run: "next" } } as const;
      const session = await client.openSession(request);
      await client.api.containers.start.mutate({ container: container.id });
      const pieces: Uint8Array[] = [];
      for await (const piece of session.output) {
        if (piece.type === "output") pieces.push(piece.bytes);
      }
      expect(Buffer.concat(pieces).toString()).toBe(`x${round}\n`);
      expect(await session.exit).toMatchObject({ exitCode: 0 });
    }
  });

  test("Q1: of all runs that a restart policy makes, and the last one's exit code", async () => {
    const script =
      "n=$(cat /n 2>/dev/null || echo 0); n=$((n + 1)); echo $n > /n; echo run $n; exit $n";
    const words = ["run", "--restart", "on-failure:2", "busybox", "sh", "-c", script];
    const result = await fleet.cli(words);
    expect(result).toEqual({ stdout: "run 1\nrun 2\nrun 3\n", stderr: "", exitCode: 3 });
  });
});

describe("piped input", () => {
  test("A4: its end is the end of the command's input", async () => {
    const result = await fleet.cli(["run", "-i", "--rm", "busybox", "cat"], { input: "x\ny" });
    expect(result).toEqual({ stdout: "x\ny", stderr: "", exitCode: 0 });
  });

  test("O8: of nothing, too", async () => {
    const result = await fleet.cli(["exec", "-i", "web", "sh", "-c", "cat && echo X"]);
    expect(result).toEqual({ stdout: "X\n", stderr: "", exitCode: 0 });
  });

  test("O44: arrives in full", async () => {
    const words = ["run", "-i", "--rm", "busybox", "wc", "-c"];
    expect((await fleet.cli(words, { input: "x".repeat(1_000) })).stdout).toBe("1000\n");
  });

  test("A12: bytes of any value go both ways unchanged", async () => {
    const input = randomBytes(3_000_000);
    input.set(Array.from({ length: 256 }, (_, byte) => byte));
    const file = join(fleet.root, "echoed");
    await writeFile(`${file}.in`, input);
    for (const verb of ["exec -i web", "run -i --rm busybox"]) {
      await using terminal = fleet.terminal(`podfleet ${verb} cat < ${file}.in > ${file}.out`);
      expect(await terminal.ended()).toBe(0);
      expect(Buffer.compare(await readFile(`${file}.out`), input)).toBe(0);
    }
  });

  test("A12: on a terminal, too, once the command has switched its processing off", async () => {
    const script =
      "stty raw -echo; echo ready; od -An -v -tx1 -N256 | tr -d ' \\n'; echo; echo over";
    await using terminal = fleet.terminal(
      `podfleet exec -it --detach-keys '' web sh -c "${script}"`,
    );
    await terminal.printed(/ready/);
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    terminal.type(bytes);
    await terminal.printed(/over/);
    expect(terminal.text).toContain(bytes.toString("hex"));
  });

  test("into a terminal comes with a warning, and its end is typed", async () => {
    const words = ["exec", "-it", "web", "sh"];
    const { stdout, stderr, exitCode } = await fleet.cli(words, { input: "echo $((6 * 7))\n" });
    expect(stderr).toMatch(/^Warning: Standard input is not a terminal/);
    expect(stdout).toContain("\n42\r\n");
    expect(exitCode).toBe(0);
  });
});

describe("start -a", () => {
  test("O49: shows this run's output and ends with its exit code", async () => {
    const script =
      "n=$(cat /n 2>/dev/null || echo 0); n=$((n + 1)); echo $n > /n; echo run $n; exit $n";
    await fleet.cli(["create", "--name", "again", "busybox", "sh", "-c", script]);
    for (const run of [1, 2, 3]) {
      const result = await fleet.cli(["start", "-a", "again"]);
      expect(result).toEqual({ stdout: `run ${run}\n`, stderr: "", exitCode: run });
    }
  });

  test("O50: of a container that cannot be started ends with the reason", async () => {
    const source = await mkdtemp(join(fleet.root, "gone-"));
    await fleet.cli(["create", "--name", "bare", "-v", `${source}:/data`, "busybox", "true"]);
    await rmdir(source);
    const result = await fleet.cli(["start", "-a", "bare"]);
    expect(result).toMatchObject({ stdout: "", exitCode: 125 });
    expect(result.stderr).toContain(source);
    expect(await stateOf("bare")).toBe("configured");
  });

  test("O49: -ai passes input on, and joins one that runs", async () => {
    await fleet.cli([
      "create",
      "-i",
      "--name",
      "reader",
      "busybox",
      "sh",
      "-c",
      "read a; echo got $a",
    ]);
    for (const input of ["one", "two"]) {
      const result = await fleet.cli(["start", "-ai", "reader"], { input: `${input}\n` });
      expect(result).toEqual({ stdout: `got ${input}\n`, stderr: "", exitCode: 0 });
    }
    await fleet.cli(["start", "reader"]);
    const joined = await fleet.cli(["start", "-ai", "reader"], { input: "three\n" });
    expect(joined).toEqual({ stdout: "got three\n", stderr: "", exitCode: 0 });
  });
});

describe("signals", () => {
  const trap = "trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.1; done";

  test("O46: go to the command when the terminal's keys do not", async () => {
    await using terminal = fleet.terminal(
      `podfleet run --rm busybox sh -c "${trap}" & wait_for=$!; read x; kill -TERM $wait_for; wait $wait_for; echo [$?]`,
    );
    await terminal.printed(/ready/);
    terminal.type("\r");
    await terminal.printed(/caught[^]*\[3\]/);
    expect(await terminal.ended()).toBe(0);
  });

  test("ctrl-c ends runs that a restart policy repeats, also between two of them", async () => {
    const name = "repeated";
    const flags = `--restart always --name ${name}`;
    const command = "sh -c 'echo run; exit 6'";
    await using terminal = fleet.terminal(`exec podfleet run ${flags} busybox ${command}`);
    // The fifth restart is 1.6 s after the run before it.
    await terminal.printed(/(run\r\n){5}/);
    await waitFor(async () => (await stateOf(name)) === "exited", { what: "the fifth run to end" });
    terminal.type(ctrlC);
    expect(await terminal.ended()).toBe(6);
    expect(terminal.text.match(/run/g)).toHaveLength(5);
  });

  test("O47: without the proxy they end the client only", async () => {
    await runContainer(fleet.client, { name: "left-alone", command: ["sh", "-c", trap] });
    await using terminal = fleet.terminal(
      "podfleet attach --no-stdin --sig-proxy=false left-alone & client=$!; read x; kill -TERM $client; wait $client; echo [$?]",
    );
    await waitFor(async () => (await fleet.cli(["session", "ls", "-q"])).stdout !== "", {
      what: "the client to be attached",
    });
    terminal.type("\r");
    await terminal.printed(/\[143\]/);
    expect(await stateOf("left-alone")).toBe("running");
    await fleet.cli(["rm", "-f", "left-alone"]);
  });
});

function lines(count: number): string {
  return Array.from({ length: count }, (_, index) => `${index + 1}\n`).join("");
}
