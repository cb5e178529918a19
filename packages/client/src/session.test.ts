import type { CommandExit } from "@podfleet/model/session";
import type { Frame } from "@podfleet/protocol/stream/frame";
import { testEffort } from "@podfleet/testkit/effort";
import { eventually } from "@podfleet/testkit/wait-for";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { createClient } from "./client.ts";
import type { SessionOptions, SessionOutage, SessionRequest, SessionStream } from "./session.ts";
import { recordBytes, TestSessionServer } from "./session/test-session-server.ts";

let server: TestSessionServer;

beforeEach(async () => {
  server = await TestSessionServer.start();
});

afterEach(async () => {
  vi.useRealTimers();
  await server[Symbol.asyncDispose]();
});

/** Sleeps for no time, so that attempts follow each other at once. */
const hasty = {
  nowMs: () => Date.now(),
  sleep: async (_durationMs: number, signal?: AbortSignal) => signal?.throwIfAborted(),
};

async function open(
  options: SessionOptions = {},
  request: Partial<SessionRequest> = {},
): Promise<SessionStream> {
  const client = createClient(server);
  return await client.openSession(
    { container: "web", spec: { input: "shared", from: "start" }, ...request },
    { clock: hasty, ...options },
  );
}

/** Everything that comes, each stream's bytes joined; a gap as `[from-to]` in both. */
async function readAll(session: SessionStream): Promise<{ stdout: string; stderr: string }> {
  const text = { stdout: "", stderr: "" };
  for await (const piece of session.output) {
    if (piece.type === "output") text[piece.stream] += Buffer.from(piece.bytes).toString("latin1");
    else for (const stream of ["stdout", "stderr"] as const) text[stream] += gap(piece);
  }
  return text;
}

function gap({ from, to }: { readonly from: number; readonly to: number }): string {
  return `[${from}-${to}]`;
}

const ended = (exitCode: number): CommandExit => ({
  exitCode,
  exitUnknown: false,
  timedOut: false,
});

describe("output", () => {
  test("both streams in order, and the exit once everything was read", async () => {
    server.write("one\n");
    server.write("two\n", "stderr");
    server.endCommand(7);
    const session = await open();
    expect(session).toMatchObject({
      ...{ container: { name: "web" }, host: { name: "host-1" } },
      ...{ run: 1, tty: false, takesInput: true, offset: 0 },
    });
    const reader = session.output.getReader();
    const next = 4 + recordBytes;
    expect((await reader.read()).value).toMatchObject({ stream: "stdout", offset: 0, next });
    expect(session.offset).toBe(next);
    await server.settled();
    expect(server.isExitSent).toBe(false);
    expect((await reader.read()).value).toMatchObject({ stream: "stderr", offset: next });
    expect(await session.exit).toEqual(ended(7));
    expect((await reader.read()).done).toBe(true);
    await eventually(() => expect(server.frames.at(-1)).toEqual({ type: "detach" }));
  });

  test("is held back while nobody reads it, and goes on", async () => {
    const windowBytes = 64 * 1024;
    const line = "x".repeat(1_000);
    for (let count = 0; count < 1_000; count += 1) server.write(line);
    server.endCommand(0);
    const session = await open({ windowBytes });
    await server.settled();
    const [connection] = server.connections;
    expect(connection?.sent).toBeGreaterThan(windowBytes / 2);
    expect(connection?.sent).toBeLessThanOrEqual(windowBytes);
    expect(await readAll(session)).toEqual({ stdout: line.repeat(1_000), stderr: "" });
    expect(await session.exit).toEqual(ended(0));
    const credits = server.frames.filter(({ type }) => type === "credit").length;
    expect(credits).toBeLessThan((4 * server.end) / windowBytes + 10);
  });

  test("that is cancelled is not waited for: the exit comes without it", async () => {
    for (let count = 0; count < 200; count += 1) server.write("x".repeat(1_000));
    const session = await open({ windowBytes: 64 * 1024 });
    await session.output.cancel();
    server.endCommand(3);
    expect(await session.exit).toEqual(ended(3));
  });

  test("what the journal has lost is a gap, at the beginning and after an outage", async () => {
    for (const text of ["a", "b", "c", "d"]) server.write(text);
    server.punch(2);
    const session = await open();
    const reader = session.output.getReader();
    const record = 1 + recordBytes;
    expect((await reader.read()).value).toEqual({ type: "gap", from: 0, to: 2 * record });
    expect((await reader.read()).value).toMatchObject({ offset: 2 * record });
    server.punch(2);
    reader.releaseLock();
    server.cut();
    server.write("e");
    server.endCommand(0);
    expect((await readAll(session)).stdout).toBe("de");
  });

  test("a client that is killed goes on from the offset it has got to", async () => {
    for (const text of ["a", "b", "c"]) server.write(text);
    const first = await open();
    await first.output.getReader().read();
    const { id, offset } = first;
    const second = await open({}, { session: id, resume: true, offset });
    server.endCommand(0);
    expect((await readAll(second)).stdout).toBe("bc");
    expect(server.openings.at(-1)).toMatchObject({ session: id, resume: true, offset });
  });
});

describe("outages", () => {
  test("a connection that breaks off: the listener is told, and nothing is lost or repeated", async () => {
    const outages: SessionOutage[] = [];
    const session = await open({ onOutage: (outage) => outages.push(outage) });
    server.write("one");
    await server.settled();
    server.cut();
    server.write("two");
    server.endCommand(0);
    expect((await readAll(session)).stdout).toBe("onetwo");
    expect(await session.exit).toEqual(ended(0));
    expect(outages).toMatchObject([
      { type: "down", error: { code: "UNAVAILABLE" } },
      { type: "back", downMs: expect.any(Number) },
    ]);
    expect(server.openings[1]).toMatchObject({ resume: true, offset: 3 + recordBytes });
  });

  test.each(["UNAVAILABLE", "HOST_UNREACHABLE"] as const)("%s is one", async (code) => {
    const session = await open();
    server.connections[0]?.send({ type: "error", error: { code, message: "Gone for a while" } });
    await eventually(() => expect(server.openings).toHaveLength(2));
    server.write("on");
    server.endCommand(0);
    expect((await readAll(session)).stdout).toBe("on");
  });

  test("a lost frame of output is noticed by the next one, and by a beat when it was the last", async () => {
    const session = await open();
    const loseOne = (): void => {
      server.loses = (frame) => {
        if (frame.type !== "output") return false;
        server.loses = () => false;
        return true;
      };
    };
    loseOne();
    server.write("a");
    server.write("b");
    await eventually(() => expect(server.openings).toHaveLength(2));
    loseOne();
    server.write("c");
    server.connections.at(-1)?.beat();
    await eventually(() => expect(server.openings).toHaveLength(3));
    server.endCommand(0);
    expect((await readAll(session)).stdout).toBe("abc");
  });

  test("silence is one", async () => {
    const session = await open();
    vi.useFakeTimers({ toFake: ["performance", "setInterval"] });
    server.write("a");
    await server.settled();
    vi.advanceTimersByTime(5_000);
    server.connections[0]?.beat();
    await server.settled();
    vi.advanceTimersByTime(5_000);
    expect(server.openings).toHaveLength(1);
    vi.advanceTimersByTime(2_000);
    await eventually(() => expect(server.openings).toHaveLength(2));
    vi.useRealTimers();
    server.endCommand(0);
    expect((await readAll(session)).stdout).toBe("a");
  });

  test("one that lasts too long fails the exit and both streams", async () => {
    const session = await open({ outageMaxMs: 0 });
    server.write("last words");
    await server.settled();
    server.cut();
    const failure = { code: "UNAVAILABLE" };
    await expect(session.exit).rejects.toMatchObject(failure);
    await expect(readAll(session)).rejects.toMatchObject(failure);
    const writer = session.input.getWriter();
    await expect(writer.write(Buffer.from("x"))).rejects.toMatchObject(failure);
  });

  test("a terminal has its size again afterwards", async () => {
    server.isTerminal = true;
    const session = await open();
    expect(session.tty).toBe(true);
    session.resize({ height: 24, width: 80 });
    session.resize({ height: 50, width: 132 });
    server.cut();
    const resized = (): Frame[] => server.frames.filter(({ type }) => type === "resize");
    await eventually(() => expect(server.openings).toHaveLength(2));
    await eventually(() =>
      expect(resized().at(-1)).toEqual({ type: "resize", size: { height: 50, width: 132 } }),
    );
    await session.detach();
  });
});

const randomised = { timeout: 60_000 * testEffort };

test(
  "whenever the connection breaks off, output arrives as it was written and input once",
  randomised,
  async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("write"), text: fc.string({ minLength: 1, maxLength: 20 }) }),
      fc.record({ do: fc.constant("type"), text: fc.string({ minLength: 1, maxLength: 20 }) }),
      fc.record({ do: fc.constantFrom("cut", "beat", "settle", "loseOutput", "loseInput") }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
        await using peer = await TestSessionServer.start();
        const session = await createClient(peer).openSession(
          { container: "web", spec: { input: "shared" } },
          { clock: hasty },
        );
        const read = readAll(session);
        const writer = session.input.getWriter();
        const typing: Promise<void>[] = [];
        const text = { written: "", typed: "" };
        for (const each of steps) {
          if ("text" in each) {
            const bytes = Buffer.from(each.text);
            if (each.do === "write") peer.write(bytes);
            else typing.push(writer.write(bytes));
            text[each.do === "write" ? "written" : "typed"] += bytes.toString("latin1");
          }
          const { connection } = peer;
          if (each.do === "cut") peer.cut();
          if (each.do === "beat") connection?.beat();
          if (each.do === "settle") await connection?.settled();
          if (each.do === "loseOutput") peer.loses = ({ type }) => type === "output";
          if (each.do === "loseInput") peer.takes = () => false;
        }
        peer.loses = () => false;
        peer.takes = () => true;
        await peer.beatDuring(Promise.all([...typing, writer.close()]));
        await peer.beatDuring(eventually(() => expect(peer.inputEnded).toBe(true)));
        peer.endCommand(0);
        expect(await peer.beatDuring(read)).toEqual({ stdout: text.written, stderr: "" });
        expect(peer.input.toString("latin1")).toBe(text.typed);
        expect(await session.exit).toEqual(ended(0));
      }),
      { numRuns: 50 * testEffort, timeout: 10_000 },
    );
  },
);

describe("input", () => {
  test("arrives in pieces as long as the agent takes it, and then its end", async () => {
    const session = await open();
    const text = Buffer.alloc(300_000, "0123456789abcdef\n");
    await new Blob([text]).stream().pipeTo(session.input);
    expect(server.input.equals(text)).toBe(true);
    await eventually(() => expect(server.inputEnded).toBe(true));
    const sizes = server.frames.flatMap((frame) => {
      return frame.type === "input" ? [frame.bytes.length] : [];
    });
    expect(Math.max(...sizes)).toBe(32 * 1024);
    server.endCommand(0);
    await readAll(session);
    expect(await session.exit).toEqual(ended(0));
  });

  test("waits while the command reads nothing", async () => {
    server.inputRoom = 10;
    const session = await open();
    const writer = session.input.getWriter();
    server.loses = ({ type }) => type === "ack";
    let written = false;
    const writing = writer.write(Buffer.from("0123456789ab")).then(() => {
      written = true;
    });
    await eventually(() => expect(server.input.toString()).toBe("0123456789"));
    await server.settled();
    expect(written).toBe(false);
    server.loses = () => false;
    server.connections[0]?.acknowledge();
    await writing;
    await eventually(() => expect(server.input.toString()).toBe("0123456789ab"));
    await session.detach();
  });

  test("that was lost is noticed after two beats and sent again", async () => {
    const session = await open();
    const writer = session.input.getWriter();
    server.takes = () => false;
    await writer.write(Buffer.from("lost"));
    await eventually(() => expect(server.frames).toHaveLength(1));
    const [connection] = server.connections;
    for (let beats = 0; beats < 3; beats += 1) connection?.beat();
    server.takes = () => true;
    await writer.write(Buffer.from(" and found"));
    await writer.close();
    expect(server.openings).toHaveLength(2);
    expect(server.input.toString()).toBe("lost and found");
    await session.detach();
  });

  test("is refused when the session takes none, and after the command has ended", async () => {
    server.takesInput = false;
    const deaf = await open();
    expect(deaf.takesInput).toBe(false);
    const refused = deaf.input.getWriter().write(Buffer.from("x"));
    await expect(refused).rejects.toMatchObject({ code: "INVALID_INPUT" });
    server.takesInput = true;
    const session = await open();
    server.endCommand(0);
    await session.exit;
    const late = session.input.getWriter().write(Buffer.from("x"));
    await expect(late).rejects.toMatchObject({ code: "STATE_INVALID" });
  });

  test("a write that is given up, and one that is under way at the exit, are let go", async () => {
    server.inputRoom = 0;
    const session = await open();
    const writer = session.input.getWriter();
    const blocked = writer.write(Buffer.from("x"));
    await writer.abort(new Error("Enough"));
    await expect(blocked).resolves.toBeUndefined();
    const other = await open();
    const held = other.input.getWriter().write(Buffer.from("y"));
    server.endCommand(0);
    await held;
    expect(await other.exit).toEqual(ended(0));
  });
});

describe("the end", () => {
  test.each(["SESSION_ENDED", "SESSION_IN_USE", "CONTAINER_NOT_FOUND"] as const)(
    "%s is final, after what has arrived",
    async (code) => {
      const session = await open();
      server.write("last words");
      server.connections[0]?.send({ type: "error", error: { code, message: "It is over" } });
      const reader = session.output.getReader();
      expect((await reader.read()).value).toMatchObject({ offset: 0 });
      await expect(reader.read()).rejects.toMatchObject({ code });
      await expect(session.exit).rejects.toMatchObject({ code });
      expect(server.openings).toHaveLength(1);
    },
  );

  test("detach leaves the command running", async () => {
    const session = await open();
    server.write("seen");
    await server.settled();
    await session.detach();
    await eventually(() => expect(server.frames.at(-1)).toEqual({ type: "detach" }));
    expect((await readAll(session)).stdout).toBe("seen");
    await expect(session.exit).rejects.toMatchObject({ code: "CANCELLED" });
  });

  test("detach during an outage reaches the agent after it", async () => {
    const held = Promise.withResolvers<void>();
    const down = Promise.withResolvers<unknown>();
    const clock = { ...hasty, sleep: async () => await held.promise };
    const session = await open({ clock, onOutage: down.resolve });
    server.cut();
    await down.promise;
    const left = session.detach();
    held.resolve();
    await left;
    await eventually(() => expect(server.frames.at(-1)).toEqual({ type: "detach" }));
    expect(server.openings).toHaveLength(2);
  });

  test("the signal gives everything up at once, and the agent hears nothing of it", async () => {
    const abort = new AbortController();
    const session = await open({ signal: abort.signal });
    server.write("unread");
    await server.settled();
    abort.abort();
    const failure = { code: "CANCELLED" };
    await expect(session.exit).rejects.toMatchObject(failure);
    await expect(readAll(session)).rejects.toMatchObject(failure);
    await eventually(() => expect(server.connections[0]?.isOpen).toBe(false));
    expect(server.frames.filter(({ type }) => type === "detach")).toEqual([]);
    await expect(open({ signal: abort.signal })).rejects.toMatchObject(failure);
  });

  test.each([
    ["text", "hello"],
    ["no frame", Uint8Array.of(0xff)],
    ["a frame of the client's", Uint8Array.of(0x24)],
  ])("%s from the control plane is a defect of its", async (_what, bytes) => {
    const session = await open();
    server.connections[0]?.sendBytes(bytes);
    await expect(session.exit).rejects.toMatchObject({ code: "INTERNAL" });
  });
});

describe("opening", () => {
  test("a refusal", async () => {
    server.refusal = { code: "FORBIDDEN", message: "It is another's" };
    await expect(open()).rejects.toMatchObject({ code: "FORBIDDEN", message: "It is another's" });
  });

  test.each([
    ["spec.input", { spec: { input: "some" } }],
    ["container", { container: "" }],
    ["offset", { offset: -1 }],
  ])("a %s that is not allowed", async (field, request) => {
    await expect(open({}, request as Partial<SessionRequest>)).rejects.toMatchObject({
      code: "INVALID_INPUT",
      message: expect.stringContaining(`Cannot open a session: ${field}: `),
    });
  });

  test("a window that is not allowed", async () => {
    const message = "Cannot open a session: windowBytes is 100, must be from 65536 to 8388608";
    await expect(open({ windowBytes: 100 })).rejects.toMatchObject({ message });
  });

  test.each(["pf_0123abcd_other", "no token at all"])("the token %j", async (token) => {
    const client = createClient({ url: server.url, token });
    const opening = client.openSession({ container: "web" }, { clock: hasty });
    await expect(opening).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });

  test("nobody listens: at once when the caller wants to know, else after a while", async () => {
    const { url } = server;
    await server[Symbol.asyncDispose]();
    const client = createClient({ url, token: server.token });
    const refused = {
      code: "UNAVAILABLE",
      message: expect.stringContaining("connection refused"),
    };
    let sleeps = 0;
    const clock = { ...hasty, sleep: async () => void (sleeps += 1) };
    const opening = client.openSession({ container: "web" }, { whenDown: "fail", clock });
    await expect(opening).rejects.toMatchObject(refused);
    expect(sleeps).toBe(0);
    const patient = client.openSession({ container: "web" }, { outageMaxMs: 50, clock });
    await expect(patient).rejects.toMatchObject(refused);
    expect(sleeps).toBeGreaterThan(0);
  });
});
