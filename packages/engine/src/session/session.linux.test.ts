import { rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { systemClock } from "@podfleet/base/clock";
import { type ContainerId, newSessionId } from "@podfleet/model/ids";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { EngineUnderTest } from "../test-engine.ts";
import { exec, start, startVerb } from "../test-exec.ts";
import { TestSession } from "../test-session.ts";

let under: EngineUnderTest;
beforeAll(async () => {
  under = await EngineUnderTest.open();
});
afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

const exited = (exitCode: number) => ({ exitCode, exitUnknown: false, timedOut: false });
const untilTouched = (file: string) => `until [ -e ${file} ]; do sleep 0.02; done`;

function listed({ id }: TestSession) {
  const [session] = under.engine.sessions.list({ sessionId: id, all: true });
  if (!session) throw new Error(`No session ${id}`);
  return session;
}

function events(id: ContainerId): string[] {
  return under.events(id).map(({ type }) => type);
}

describe("output and exit", () => {
  test("A1, A11: a session that is there before the start gets all output, then the exit", async () => {
    const id = await under.create({ command: ["sh", "-c", "echo x; echo y >&2; exit 3"] });
    const session = await TestSession.open(under, id, { run: "next" });
    await under.start(id);
    expect(await session.ended()).toEqual(exited(3));
    expect([session.text(), session.text("stderr")]).toEqual(["x\n", "y\n"]);
    session.attachment.finish();
    expect(listed(session)).toMatchObject({
      ...{ run: 1, end: "exited", connected: false, acknowledged: session.offset },
      exit: exited(3),
    });
    expect(events(id)).toContain("container.attach");
  });

  test("A1: of a created one too, and of each run its own", async () => {
    const id = await under.create({ command: ["sh", "-c", "echo run; exit 3"] });
    for (const run of [1, 2, 3]) {
      await under.do(id, { verb: "container.init" });
      const session = await TestSession.open(under, id);
      await under.start(id);
      expect(await session.ended()).toEqual(exited(3));
      expect([session.attachment.session.run, session.text()]).toEqual([run, "run\n"]);
      await under.exited(id);
    }
  });

  test("A2: of two sessions both get the output, from where each began", async () => {
    const id = await under.run(`echo one; ${untilTouched("/go")}; echo two`);
    await under.printed(id, "one");
    const [late, early] = await Promise.all([
      TestSession.open(under, id),
      TestSession.open(under, id, { from: "start" }),
    ]);
    await exec(under, id, "touch /go");
    await Promise.all([late.ended(), early.ended()]);
    expect([late.text(), early.text()]).toEqual(["two\n", "one\ntwo\n"]);
  });

  test("A3: a session that takes nothing holds up neither the command nor another session", async () => {
    const id = await under.create({ command: ["sh", "-c", "head -c 20000000 /dev/zero; exit 4"] });
    const sleeping = await TestSession.open(under, id, { run: "next" });
    sleeping.onChange = () => undefined;
    const reading = await TestSession.open(under, id, { run: "next" });
    await under.start(id);
    expect(await reading.ended()).toEqual(exited(4));
    expect(Buffer.concat(reading.stdout).length).toBe(20_000_000);
    expect(await sleeping.ended()).toEqual(exited(4));
    expect(Buffer.concat(sleeping.stdout).length).toBe(20_000_000);
  });

  test("a restart by the policy does not mix the next run's output in", async () => {
    const id = await under.run(`echo run; ${untilTouched("/go")}; exit 1`, {
      restartPolicy: { name: "on-failure", retriesMax: 2 },
    });
    const session = await TestSession.open(under, id, { from: "start" });
    session.onChange = () => undefined;
    await under.touch(id, "/go");
    await waitFor(() => under.snapshot(id).restartCount === 2, { what: "the second restart" });
    await under.exited(id);
    expect(await session.ended()).toEqual(exited(1));
    expect(session.text()).toBe("run\n");
    expect(await under.output(id)).toBe("run\nrun\nrun\n");
  });

  test("a start that fails leaves the session waiting; the removal of its container ends it", async () => {
    const id = await under.create({ command: ["/missing"] });
    const session = await TestSession.open(under, id, { run: "next" });
    expect((await under.perform(id, { verb: "container.start", recursive: false })).status).toBe(
      "failed",
    );
    session.read();
    expect([session.exit, session.error]).toEqual([undefined, undefined]);
    await under.remove(id);
    session.read();
    expect(session.error).toMatchObject({ code: "SESSION_ENDED", details: { end: "gone" } });
    expect(listed(session)).toMatchObject({ end: "gone" });
  });

  test("a container that is removed by force while it runs still gives its exit", async () => {
    const id = await under.run("echo x; sleep 600");
    const session = await TestSession.open(under, id, { from: "start" });
    await session.printed("x\n");
    await under.remove(id);
    expect(await session.ended()).toEqual(exited(137));
    session.attachment.finish();
    expect(listed(session).end).toBe("exited");
  });
});

describe("exec sessions", () => {
  test("E11: one that has ended long since gives its output from the start, and its exit", async () => {
    const id = await under.run("sleep 600");
    const { session } = await exec(under, id, "printf %0100d 7; exit 42");
    const attached = await TestSession.open(under, id, { execId: session.id, from: "start" });
    expect(await attached.ended()).toEqual(exited(42));
    expect(attached.text()).toHaveLength(100);
  });

  test("E7: the container is stopped", async () => {
    const id = await under.run("sleep 600");
    const { id: execId } = await start(under, id, "echo x; sleep 600");
    const session = await TestSession.open(under, id, { execId, from: "start" });
    await session.printed("x\n");
    await under.stop(id, 0);
    expect(await session.ended()).toEqual(exited(137));
  });

  test("O10: a file is the same byte for byte for a reader in small steps", async () => {
    const id = await under.run("sleep 600");
    const { id: execId } = await start(under, id, "seq 1 5000");
    const session = await TestSession.open(under, id, { execId, from: "start" });
    session.onChange = () => session.read(20_000);
    await session.ended();
    const lines = Array.from({ length: 5_000 }, (_, index) => `${index + 1}\n`);
    expect(session.text()).toBe(lines.join(""));
  });

  test("O61: an unknown one, and one that has ended, cannot be attached to or resized", async () => {
    const id = await under.run("sleep 600");
    const execId = "0".repeat(64) as never;
    await expect(TestSession.open(under, id, { execId })).rejects.toMatchObject({
      code: "EXEC_NOT_FOUND",
    });
    const { session } = await exec(under, id, "true", { tty: true });
    const size = { height: 10, width: 10 };
    await expect(
      under.engine.execs.resize({ containerId: id, execId: session.id, size }),
    ).rejects.toMatchObject({ code: "STATE_INVALID" });
  });
});

describe("refusals", () => {
  test("A10, O39, O60: by the state of the container", async () => {
    const id = await under.create({ command: ["sleep", "600"], tty: true });
    const attach = async (run: "present" | "next") => await TestSession.open(under, id, { run });
    const resize = async () => await under.engine.resize(id, { height: 10, width: 10 });
    const refusal = (state: string) => ({ code: "STATE_INVALID", details: { state } });
    await expect(attach("present")).rejects.toMatchObject(refusal("configured"));
    await expect(resize()).rejects.toMatchObject(refusal("configured"));
    await under.start(id);
    await expect(attach("next")).rejects.toMatchObject(refusal("running"));
    await under.do(id, { verb: "container.pause" });
    await expect(attach("present")).rejects.toMatchObject(refusal("paused"));
    await under.do(id, { verb: "container.unpause" });
    await under.stop(id, 0);
    await expect(attach("present")).rejects.toMatchObject(refusal("exited"));
    await expect(resize()).rejects.toMatchObject(refusal("exited"));
  });

  test("offsets that are no record boundary", async () => {
    const id = await under.run("echo x; sleep 600");
    await under.printed(id, "x");
    await expect(TestSession.open(under, id, { from: 5 })).rejects.toMatchObject({
      code: "INVALID_INPUT",
      message: expect.stringContaining("from offset 5"),
    });
    await expect(TestSession.open(under, id, { from: 5_000 })).rejects.toMatchObject({
      code: "INVALID_INPUT",
    });
  });

  test("a session that is to be there, and that of another caller", async () => {
    const id = await under.run("sleep 600");
    await expect(TestSession.open(under, id, {}, { resume: true })).rejects.toMatchObject({
      code: "SESSION_NOT_FOUND",
    });
    const { id: sessionId } = await TestSession.open(under, id);
    await expect(
      TestSession.open(under, id, {}, { sessionId, caller: "bob", resume: true }),
    ).rejects.toMatchObject({ code: "FORBIDDEN" });
    const other = await under.run("sleep 600");
    await expect(TestSession.open(under, other, {}, { sessionId })).rejects.toMatchObject({
      code: "INVALID_INPUT",
    });
  });
});

describe("a session's life", () => {
  test("it is resumed where its client was, and the connection before is told", async () => {
    const id = await under.run(`echo one; ${untilTouched("/go")}; echo two; sleep 600`);
    const first = await TestSession.open(under, id, { from: "start" });
    await first.printed("one\n");
    const again = { sessionId: first.id, resume: true };
    const second = await TestSession.open(under, id, {}, again);
    expect(first.error).toMatchObject({ code: "SESSION_IN_USE" });
    second.attachment.lose();
    expect(listed(second)).toMatchObject({ connected: false, acknowledged: first.offset });
    await exec(under, id, "touch /go");
    await under.printed(id, "two");
    const third = await TestSession.open(under, id, {}, again);
    await third.printed("two\n");
    expect([second.text(), third.text()]).toEqual(["", "two\n"]);
    const fourth = await TestSession.open(under, id, {}, { ...again, offset: 0 });
    await fourth.printed("one\ntwo\n");
  });

  test("it outlives the agent, and nothing is delivered twice or not at all", async () => {
    const id = await under.run("cat; echo end", { stdin: true });
    const first = await TestSession.open(under, id, { input: "shared" });
    await first.write("one\n");
    await first.printed("one\n");
    await under.reopen();
    expect(listed(first)).toMatchObject({ connected: false, acknowledged: first.offset });
    const second = await TestSession.open(under, id, {}, { sessionId: first.id, resume: true });
    expect(second.attachment.input?.position()).toMatchObject({ seq: 4, ended: false });
    await second.write("two\n");
    second.endInput();
    expect(await second.ended()).toEqual(exited(0));
    expect(second.text()).toBe("two\nend\n");
  });

  test("an end of input that the agent had no time for", async () => {
    const id = await under.run("cat; echo end", { stdin: true });
    const session = await TestSession.open(under, id, { input: "shared" });
    await session.write("one\n");
    session.endInput();
    await under.reopen();
    const again = { sessionId: session.id, resume: true, offset: session.offset };
    const second = await TestSession.open(under, id, {}, again);
    await second.ended();
    expect(session.text() + second.text()).toBe("one\nend\n");
  });

  test("closed by somebody: its client is told, the command runs on", async () => {
    const id = await under.run("sleep 600");
    const session = await TestSession.open(under, id);
    expect(under.engine.sessions.end(session.id)).toMatchObject({
      end: "closed",
      connected: false,
    });
    expect(session.error).toMatchObject({ code: "SESSION_ENDED", details: { end: "closed" } });
    expect(under.engine.sessions.end(session.id)).toMatchObject({ end: "closed" });
    await expect(
      TestSession.open(under, id, {}, { sessionId: session.id, resume: true }),
    ).rejects.toMatchObject({ code: "SESSION_ENDED" });
    expect(under.engine.sessions.list({ containerId: id, all: false })).toEqual([]);
    expect(under.snapshot(id).state).toBe("running");
  });

  test("its client leaves on purpose: whatever was agreed on, the command runs on", async () => {
    const id = await under.run("sleep 600");
    const onDisconnect = { action: "kill", afterSeconds: 0 } as const;
    const session = await TestSession.open(under, id, { onDisconnect });
    session.attachment.detach();
    expect(listed(session)).toMatchObject({ detached: true, end: "expired" });
    expect(under.snapshot(id).state).toBe("running");
    expect(events(id)).toContain("container.detach");
  });

  test("nobody comes back: what was agreed on happens to the command", async () => {
    const script = "trap 'exit 9' HUP; echo up; cat; while :; do sleep 0.05; done";
    const after = async (action: "keep" | "hangup" | "kill") => {
      const id = await under.run(script, { stdin: true });
      const onDisconnect = { action, afterSeconds: 1 };
      const session = await TestSession.open(under, id, {
        ...{ onDisconnect, input: "shared", from: "start" },
      });
      await session.printed("up");
      session.attachment.lose();
      await waitFor(() => listed(session).end === "expired", { what: "the end of the session" });
      const { state, exitCode } = await under.inState(id, action === "keep" ? "running" : "exited");
      return { state, exitCode };
    };
    expect(await Promise.all([after("keep"), after("hangup"), after("kill")])).toEqual([
      { state: "running" },
      { state: "exited", exitCode: 9 },
      { state: "exited", exitCode: 137 },
    ]);
  });

  test("nobody comes back to an exec session's: its command alone is killed", async () => {
    const id = await under.run("sleep 600");
    const { id: execId } = await start(under, id, "sleep 600");
    const onDisconnect = { action: "kill", afterSeconds: 0 } as const;
    const session = await TestSession.open(under, id, { execId, onDisconnect });
    session.attachment.lose();
    expect(listed(session)).toMatchObject({ end: "expired" });
    const ended = await under.engine.execs.wait({ containerId: id, execId, timeoutMs: 20_000 });
    expect([ended.exitCode, under.snapshot(id).state]).toEqual([137, "running"]);
  });

  test("the time for coming back runs on while no agent is there; an ended session is forgotten in the end", async () => {
    const id = await under.run("sleep 600");
    const onDisconnect = { action: "kill", afterSeconds: 3_600 } as const;
    const session = await TestSession.open(under, id, { onDisconnect });
    await under.reopen();
    expect(listed(session)).toMatchObject({ connected: false });
    const later = (ms: number) => ({ ...systemClock, nowMs: () => systemClock.nowMs() + ms });
    await under.reopen({ clock: later(3_700_000) });
    await under.exited(id);
    expect(listed(session)).toMatchObject({ end: "expired" });
    await under.reopen({ clock: later(2 * 3_700_000) });
    const all = () => under.engine.sessions.list({ sessionId: session.id, all: true });
    await waitFor(() => all().length === 0, { what: "the session to be forgotten" });
    await under.reopen({ clock: systemClock });
  });

  test("a client that comes back after the output was dropped is told what it missed, and the exit", async () => {
    const id = await under.run(`echo one; ${untilTouched("/go")}; echo two; exit 6`);
    const session = await TestSession.open(under, id, { from: "start" });
    await session.printed("one");
    session.attachment.lose();
    await under.touch(id, "/go");
    await under.exited(id);
    await under.remove(id);
    await waitFor(() => listed(session).exit, { what: "the exit to be kept" });
    const journal = join(under.options.dataRoot, "journals", id);
    const { size } = await stat(journal);
    await rm(journal);
    const again = await TestSession.open(under, id, {}, { sessionId: session.id, resume: true });
    expect(await again.ended()).toEqual(exited(6));
    expect([again.text(), again.gaps]).toEqual(["", [{ from: session.offset, to: size }]]);
  });

  test("an exit that nobody took is kept with the session", async () => {
    const id = await under.run(`${untilTouched("/go")}; echo x; exit 6`);
    const session = await TestSession.open(under, id);
    session.attachment.lose();
    await exec(under, id, "touch /go");
    await under.exited(id);
    const again = await TestSession.open(under, id, {}, { sessionId: session.id, resume: true });
    expect(await again.ended()).toEqual(exited(6));
    expect(again.text()).toBe("x\n");
  });
});

describe("writers", () => {
  test("A5: a command without standard input takes none", async () => {
    const id = await under.run("echo x; sleep 600");
    const session = await TestSession.open(under, id, { input: "shared", from: "start" });
    expect(session.attachment.input).toBeUndefined();
    await session.printed("x\n");
  });

  test("the input is for one alone, or shared", async () => {
    const id = await under.run("cat", { stdin: true });
    const open = async (input: "none" | "shared" | "exclusive") =>
      await TestSession.open(under, id, { input });
    const inUse = { code: "SESSION_IN_USE" };
    const shared = await open("shared");
    await open("shared");
    await expect(open("exclusive")).rejects.toMatchObject(inUse);
    for (const { id: sessionId } of under.engine.sessions.list({ containerId: id, all: false })) {
      under.engine.sessions.end(sessionId);
    }
    const alone = await open("exclusive");
    await open("none");
    await expect(open("shared")).rejects.toMatchObject({
      ...inUse,
      message: expect.stringContaining(`session "${alone.id}" of "ann" has the input to itself`),
    });
    expect(shared.error).toBeDefined();
  });

  test("A2: what one writes all see, and the input ends when the last one has ended its own", async () => {
    const id = await under.run("cat", { stdin: true });
    const [one, other] = [
      await TestSession.open(under, id, { input: "shared" }),
      await TestSession.open(under, id, { input: "shared" }),
    ];
    await one.write("a\n");
    await other.printed("a\n");
    one.endInput();
    await other.write("b\n");
    await one.printed("a\nb\n");
    under.engine.sessions.end(other.id);
    expect(await one.ended()).toEqual(exited(0));
  });

  test("pieces that come twice count once; a hole, and more than there is room for, are refused", async () => {
    const id = await under.run("cat", { stdin: true });
    const session = await TestSession.open(under, id, { input: "shared" });
    const { input } = session.attachment;
    const { limit = 0 } = input?.position() ?? {};
    input?.write(0, Buffer.from("abc"));
    input?.write(0, Buffer.from("abcde\n"));
    input?.write(2, Buffer.from("cd"));
    await session.printed("abcde\n");
    expect(session.text()).toBe("abcde\n");
    expect(() => input?.write(7, Buffer.from("x"))).toThrow("Cannot take input from byte 7: ");
    expect(() => input?.write(6, Buffer.alloc(limit))).toThrow(`must be at most ${limit}`);
  });

  test("a command that does not read is written no more than the window to, and gets all when it does", async () => {
    const id = await under.run(`${untilTouched("/go")}; cat | wc -c`, { stdin: true });
    const session = await TestSession.open(under, id, { input: "shared" });
    const { input } = session.attachment;
    const position = () => input?.position() ?? { seq: 0, limit: 0 };
    const fill = () => {
      const { seq, limit } = position();
      if (limit > seq) input?.write(seq, Buffer.alloc(limit - seq, "x"));
    };
    session.onChange = fill;
    fill();
    await waitFor(() => position().seq > 256 * 1024, { what: "what the pipes take" });
    const { seq } = position();
    expect(seq).toBeLessThan(2 * 1024 * 1024);
    session.onChange = () => session.read();
    session.endInput();
    await exec(under, id, "touch /go");
    expect(await session.ended()).toEqual(exited(0));
    expect(Number(session.text())).toBe(position().seq || seq);
  });
});

test("a session of an exec session that is only being started waits for it", async () => {
  const id = await under.run("sleep 600");
  const execId = newSessionId().replaceAll("-", "").padEnd(64, "0") as never;
  const starting = under.perform(id, startVerb(execId, "echo x; exit 2"));
  await waitFor(() => under.engine.execs.list(id).length > 0, { what: "the row", intervalMs: 1 });
  const session = await TestSession.open(under, id, { execId, from: "start" });
  expect((await starting).status).toBe("succeeded");
  expect(await session.ended()).toEqual(exited(2));
  expect(session.text()).toBe("x\n");
});
