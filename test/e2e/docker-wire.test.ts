/** The Docker API byte by byte, over TCP with a token and over the Unix socket, on a container of the third host. */
import type { ContainerSpecInput } from "@podfleet/model/container/spec";
import { type DockerAddress, DockerWire, type WireRequest } from "@podfleet/testkit/docker-wire";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;
let tcp: DockerAddress;
let unix: DockerAddress;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 3 });
  tcp = { at: fleet.client.url, token: fleet.token };
  unix = { at: fleet.replicas[0]?.dockerSocket ?? "" };
  await run({ name: "web", command: ["sleep", "3600"] });
  await run({ name: "shell", command: ["sh"], tty: true, stdin: true });
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

type Wish = Omit<ContainerSpecInput, "image">;

function onThirdHost(wish: Wish) {
  return { image: "busybox", ...wish, placement: { host: fleet.hosts[2]?.name } };
}

async function run(wish: Wish) {
  return await runContainer(fleet.client, onThirdHost(wish));
}

async function create(wish: Wish) {
  const spec = onThirdHost(wish);
  return (await fleet.client.api.containers.create.mutate({ spec })).container;
}

async function stateOf(container: string) {
  return (await fleet.client.api.containers.inspect.query({ container })).state;
}

async function attach(container: string, query: string, address = unix): Promise<DockerWire> {
  const path = `/v1.47/containers/${container}/attach?${query}`;
  return await DockerWire.open(address, { path, upgrade: "tcp" });
}

async function ask(method: string, path: string, body?: object) {
  const request: WireRequest = {
    ...{ method, path },
    ...(body ? { body: JSON.stringify(body) } : {}),
  };
  using wire = await DockerWire.open(unix, request);
  const text = await wire.body();
  return { status: wire.status, body: text === "" ? undefined : JSON.parse(text) };
}

async function createExec(container: string, body: object): Promise<string> {
  const streams = { AttachStdout: true, AttachStderr: true };
  const { body: answer } = await ask("POST", `/containers/${container}/exec`, {
    ...streams,
    ...body,
  });
  return answer.Id;
}

async function startExec(id: string, address = unix, body = "{}"): Promise<DockerWire> {
  const path = `/v1.47/exec/${id}/start`;
  return await DockerWire.open(address, { path, upgrade: "tcp", body });
}

/** Sessions of the container that have not ended. */
async function openSessions(container: string): Promise<number> {
  return (await fleet.client.api.sessions.list.query({ container })).sessions.length;
}

const output = "stream=1&stdout=1&stderr=1";
const everything = `${output}&stdin=1`;

describe("attach", () => {
  test.each([
    ["H1: without an upgrade", "web", output, undefined, 400],
    ["H1: to an unknown container", "nobody", output, "tcp", 404],
    ["O57: with keys that are none", "shell", `${everything}&detachKeys=ctrl-1`, "tcp", 400],
    ["for no stream", "web", "stream=1", "tcp", 400],
    ["with a switch that is none", "web", `${output}&logs=maybe`, "tcp", 400],
  ])("%s is a plain HTTP error", async (_name, container, query, upgrade, status) => {
    const path = `/containers/${container}/attach?${query}`;
    using wire = await DockerWire.open(unix, { path, ...(upgrade ? { upgrade } : {}) });
    expect(wire.status).toBe(status);
    expect(wire.headers["content-type"]).toBe("application/json");
    expect(JSON.parse(await wire.body())).toEqual({ message: expect.stringMatching(/.+/) });
  });

  test("H1, O39: to a paused container is a conflict", async () => {
    await run({ name: "frozen", command: ["sleep", "600"] });
    await fleet.client.api.containers.pause.mutate({ container: "frozen" });
    using wire = await attach("frozen", output);
    expect(wire.status).toBe(409);
    expect(await wire.body()).toContain("You cannot attach to a paused container");
    expect((await ask("POST", "/containers/frozen/unpause")).status).toBe(204);
  });

  test.each([
    ["1.47", "application/vnd.docker.multiplexed-stream"],
    ["1.42", "application/vnd.docker.multiplexed-stream"],
    ["1.41", "application/vnd.docker.raw-stream"],
  ])("H2, O34: API %s without a terminal has frames, of type %s", async (version, type) => {
    const { id } = await run({
      command: ["sh", "-c", "read x; echo out; echo err >&2"],
      stdin: true,
    });
    const path = `/v${version}/containers/${id}/attach?${everything}`;
    using wire = await DockerWire.open(tcp, { path, upgrade: "tcp" });
    expect(wire.status).toBe(101);
    expect(wire.headers).toMatchObject({ "content-type": type, upgrade: "tcp" });
    wire.write("go\n");
    expect(await wire.streams()).toEqual({ stdout: "out\n", stderr: "err\n" });
  });

  test("H3, O35: a terminal has raw bytes", async () => {
    using wire = await attach("shell", everything, tcp);
    expect(wire.headers["content-type"]).toBe("application/vnd.docker.raw-stream");
    wire.write("echo $((40 + 2))\n");
    await wire.until("echo $((40 + 2))\r\n42\r\n");
  });

  test("O36: before the start loses no byte of the run that begins then", async () => {
    const { id } = await create({ command: ["echo", "first"] });
    using wire = await attach(id, output);
    expect(wire.status).toBe(101);
    expect((await ask("POST", `/containers/${id}/start`)).status).toBe(204);
    expect(await wire.frame()).toEqual({ stream: 1, text: "first\n" });
    expect(await wire.frame()).toBeUndefined();
  });

  test("an ended container's next run is attached to", async () => {
    const { id } = await run({ command: ["sh", "-c", "echo run; exit 3"] });
    await fleet.client.wait({ container: id });
    using wire = await attach(id, output);
    expect((await ask("POST", `/v1.43/containers/${id}/start`)).status).toBe(204);
    expect(await wire.streams()).toEqual({ stdout: "run\n", stderr: "" });
  });

  test.each([
    ["with an upgrade", "tcp", 101, ""],
    ["without", undefined, 200, "e\r\n"],
  ])("O37: logs alone are sent and end, %s", async (_name, upgrade, status, before) => {
    const { id } = await run({ command: ["echo", "hello"] });
    await fleet.client.wait({ container: id });
    const path = `/containers/${id}/attach?logs=1&stream=0&stdout=1&stderr=1`;
    using wire = await DockerWire.open(unix, { path, ...(upgrade ? { upgrade } : {}) });
    expect(wire.status).toBe(status);
    expect(await wire.until("hello\n")).toBe(`${before}\u0001\0\0\0\0\0\0\u0006hello\n`);
    await (upgrade ? wire.rest() : wire.until("\r\n0\r\n\r\n"));
  });

  test("O40: three clients get the output and the end", async () => {
    const { id } = await run({
      command: ["sh", "-c", "read x; echo $x; exec sleep 600"],
      stdin: true,
    });
    const wires = await Promise.all([unix, tcp, unix].map((at) => attach(id, everything, at)));
    wires[0]?.write("ping\n");
    for (const wire of wires) expect(await wire.frame()).toEqual({ stream: 1, text: "ping\n" });
    expect((await ask("POST", `/containers/${id}/kill`)).status).toBe(204);
    for (const wire of wires) expect(await wire.frame()).toBeUndefined();
    for (const wire of wires) wire[Symbol.dispose]();
  });

  test.each(["unix", "tcp"])("O44: a half-close ends the command's input (%s)", async (kind) => {
    const { id } = await create({ command: ["wc", "-c"], stdin: true });
    using wire = await attach(id, everything, kind === "tcp" ? tcp : unix);
    await ask("POST", `/containers/${id}/start`);
    wire.write("x".repeat(1000));
    wire.halfClose();
    const { stdout } = await wire.streams();
    expect(stdout).toBe("1000\n");
    expect(await fleet.client.wait({ container: id })).toMatchObject({ exitCode: 0 });
  });

  test("O53: the keys of the query detach, and are not delivered", async () => {
    using wire = await attach("shell", `${everything}&detachKeys=ctrl-a,a`);
    wire.write("echo before; \u0001");
    wire.write("a");
    await wire.rest();
    expect(await stateOf("shell")).toBe("running");
    using again = await attach("shell", everything);
    again.write("echo after\n");
    await again.until("before\r\nafter\r\n");
  });

  test("A8, A9: empty keys turn detaching off", async () => {
    using wire = await attach("shell", `${everything}&detachKeys=`);
    wire.write("\u0010\u0011\u0015echo still here\n");
    expect(await wire.until("\nstill here\r\n")).toContain("still here");
  });

  test("A12: binary goes both ways unchanged", async () => {
    const { id } = await run({ command: ["cat"], stdin: true });
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256));
    using wire = await attach(id, everything);
    wire.write(bytes);
    wire.halfClose();
    const { stdout } = await wire.streams();
    expect(Buffer.from(stdout, "latin1").equals(bytes)).toBe(true);
  });

  test("O51: a WebSocket has the bytes without frames", async () => {
    const { id } = await run({ command: ["cat"], stdin: true });
    const url = `${fleet.client.url.replace("http", "ws")}/containers/${id}/attach/ws?${everything}`;
    const headers = { authorization: `Bearer ${fleet.token}` };
    const socket = new WebSocket(url, { headers } as never);
    socket.binaryType = "arraybuffer";
    const received: string[] = [];
    socket.addEventListener("message", ({ data }) => {
      received.push(Buffer.from(data as ArrayBuffer).toString());
    });
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    socket.send("hello\n");
    await waitFor(() => received.join("") === "hello\n", { what: "the echo" });
    socket.close();
    await waitFor(async () => (await openSessions(id)) === 0, { what: "the session to end" });
    expect(await stateOf(id)).toBe("running");
  });
});

describe("H4: a client that vanishes leaves nothing behind, and the container alone", () => {
  test.each([
    ["unix", "cat", everything],
    ["unix", "cat", output],
    ["unix", "tty", everything],
    ["tcp", "cat", everything],
    ["tcp", "cat", output],
    ["tcp", "tty", everything],
  ])("over %s, from %s, attached with %s", async (kind, command, query) => {
    const tty = command === "tty";
    const { id } = await run({ command: ["cat"], stdin: true, tty });
    const wire = await attach(id, query, kind === "tcp" ? tcp : unix);
    expect(await openSessions(id)).toBe(1);
    wire[Symbol.dispose]();
    await waitFor(async () => (await openSessions(id)) === 0, { what: "the session to end" });
    expect(await stateOf(id)).toBe("running");
    using again = await attach(id, everything);
    again.write("alive\n");
    expect(await again.until("alive")).toContain("alive");
  });

  test("also while it does not read and the command writes without end", async () => {
    const { id } = await run({ command: ["yes"] });
    const wire = await attach(id, output);
    wire.socket.pause();
    expect(await openSessions(id)).toBe(1);
    wire[Symbol.dispose]();
    await waitFor(async () => (await openSessions(id)) === 0, { what: "the session to end" });
    await ask("POST", `/containers/${id}/kill`);
  });
});

describe("exec", () => {
  test("O1: both streams arrive apart, and the exit code can be asked for", async () => {
    const id = await createExec("web", { Cmd: ["sh", "-c", "echo out; echo err >&2; exit 5"] });
    expect((await ask("GET", `/exec/${id}/json`)).body).toMatchObject({
      ID: id,
      Running: false,
      ExitCode: null,
    });
    using wire = await startExec(id);
    expect(wire.status).toBe(101);
    expect(await wire.streams()).toEqual({ stdout: "out\n", stderr: "err\n" });
    expect((await ask("GET", `/exec/${id}/json`)).body).toMatchObject({
      Running: false,
      ExitCode: 5,
      OpenStdout: true,
      ProcessConfig: { entrypoint: "sh", tty: false },
    });
  });

  test("only the streams that were asked for are sent", async () => {
    const Cmd = ["sh", "-c", "echo out; echo err >&2"];
    using wire = await startExec(await createExec("web", { Cmd, AttachStderr: false }));
    expect(await wire.streams()).toEqual({ stdout: "out\n", stderr: "" });
  });

  test.each(["unix", "tcp"])("O8: a half-close ends its input (%s)", async (kind) => {
    const Cmd = ["sh", "-c", "cat && echo done"];
    const id = await createExec("web", { Cmd, AttachStdin: true });
    using wire = await startExec(id, kind === "tcp" ? tcp : unix);
    wire.halfClose();
    expect((await wire.streams()).stdout).toBe("done\n");
  });

  test("a terminal begins with the size that it was given before the start", async () => {
    const id = await createExec("web", { Cmd: ["stty", "size"], Tty: true });
    expect((await ask("POST", `/exec/${id}/resize?h=33&w=44`)).status).toBe(200);
    using wire = await startExec(id);
    expect(wire.headers["content-type"]).toBe("application/vnd.docker.raw-stream");
    expect(await wire.rest()).toBe("33 44\r\n");
    const sized = await createExec("web", { Cmd: ["stty", "size"], Tty: true });
    using second = await startExec(sized, unix, '{"Tty":true,"ConsoleSize":[20,90]}');
    expect(await second.rest()).toBe("20 90\r\n");
  });

  test.each([
    ["O3: does not exist", "nosuch", 127],
    ["O4: is a directory", "/etc", 126],
  ])(
    "a command that %s is told within the stream, and has an exit code",
    async (_n, name, code) => {
      const id = await createExec("web", { Cmd: [name] });
      using wire = await startExec(id);
      expect(wire.status).toBe(101);
      expect((await wire.streams()).stderr).toContain(name);
      expect((await ask("GET", `/exec/${id}/json`)).body).toMatchObject({
        Running: false,
        ExitCode: code,
      });
    },
  );

  test("O13: detached, it runs on", async () => {
    const id = await createExec("web", { Cmd: ["sleep", "60"] });
    expect(await ask("POST", `/exec/${id}/start`, { Detach: true })).toEqual({
      status: 200,
      body: undefined,
    });
    expect((await ask("GET", `/exec/${id}/json`)).body).toMatchObject({ Running: true });
    expect((await ask("GET", "/containers/web/json")).body.ExecIDs).toContain(id);
  });

  test("O16: it starts once, however many try at once", async () => {
    const id = await createExec("web", { Cmd: ["sh", "-c", "echo x >> /tmp/once"] });
    const starts = await Promise.all([1, 2, 3, 4].map(async () => await startExec(id)));
    const statuses = starts.map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([101, 409, 409, 409]);
    await starts.find(({ status }) => status === 101)?.rest();
    expect((await ask("POST", `/exec/${id}/start`, { Detach: true })).status).toBe(409);
    using count = await startExec(await createExec("web", { Cmd: ["cat", "/tmp/once"] }));
    expect((await count.streams()).stdout).toBe("x\n");
    for (const wire of starts) wire[Symbol.dispose]();
  });

  test("O5, O6, O7: no command is refused, and so is a container that does not run", async () => {
    const refused = await ask("POST", "/containers/web/exec", { Cmd: [] });
    expect(refused).toMatchObject({ status: 400, body: { message: /command/ } });
    const { id } = await create({ command: ["true"] });
    expect(await ask("POST", `/containers/${id}/exec`, { Cmd: ["true"] })).toMatchObject({
      status: 409,
      body: { message: expect.stringContaining("is not running") },
    });
    await run({ name: "still", command: ["sleep", "600"] });
    expect((await ask("POST", "/containers/still/pause")).status).toBe(204);
    expect(await ask("POST", "/containers/still/exec", { Cmd: ["true"] })).toMatchObject({
      status: 409,
      body: { message: expect.stringContaining("paused") },
    });
  });

  test("O61: resizing", async () => {
    const id = await createExec("web", { Cmd: ["sh"], Tty: true, AttachStdin: true });
    using wire = await startExec(id);
    expect((await ask("POST", `/exec/${id}/resize?h=40&w=41`)).status).toBe(200);
    wire.write("stty size\n");
    await wire.until("\n40 41\r\n");
    wire.write("exit\n");
    await wire.rest();
    expect((await ask("POST", `/exec/${id}/resize?h=40&w=40`)).status).toBe(409);
    const unknown = await ask("POST", `/exec/${"0".repeat(64)}/resize?h=40&w=40`);
    expect(unknown).toMatchObject({
      status: 404,
      body: { message: expect.stringContaining("No such exec instance") },
    });
  });
});

test("O99: a paused container is stopped", async () => {
  const { id } = await run({ command: ["sleep", "600"] });
  expect((await ask("POST", `/containers/${id}/pause`)).status).toBe(204);
  expect((await ask("POST", `/containers/${id}/stop?t=0`)).status).toBe(204);
  expect(await stateOf(id)).toBe("exited");
});

test("O58, O60: the size of a container's terminal", async () => {
  expect((await ask("POST", "/containers/shell/resize?h=40&w=50")).status).toBe(200);
  using wire = await attach("shell", everything);
  wire.write("stty size\n");
  await wire.until("\n40 50\r\n");
  const { id } = await create({ command: ["sh"], tty: true });
  expect(await ask("POST", `/containers/${id}/resize?h=40&w=50`)).toMatchObject({
    status: 409,
    body: { message: expect.stringContaining("is not running") },
  });
  expect(await ask("POST", "/containers/shell/resize?h=0&w=x")).toMatchObject({
    status: 400,
    body: { message: expect.stringMatching(/h is "0".*; w is "x"/) },
  });
});

describe("wait", () => {
  test("O86, O87: what needs no waiting is answered at once", async () => {
    const { id } = await create({ command: ["true"] });
    const path = `/containers/${id}/wait?condition=not-running`;
    using wire = await DockerWire.open(unix, { path });
    expect(await wire.until("}")).toContain('{"StatusCode":0}');
    expect((await ask("POST", "/containers/web/wait?condition=soon")).status).toBe(400);
    expect((await ask("POST", "/containers/nobody/wait")).status).toBe(404);
  });

  test.each(["not-running", "next-exit", "removed"])(
    "O83: %s blocks, then tells the code",
    async (condition) => {
      const autoRemove = condition === "removed";
      const spec = { command: ["sh", "-c", "read x; exit 99"], stdin: true, autoRemove };
      const { id } = condition === "next-exit" ? await create(spec) : await run(spec);
      using wire = await DockerWire.open(tcp, {
        path: `/containers/${id}/wait?condition=${condition}`,
      });
      expect(wire.status).toBe(200);
      using attached = await attach(id, everything);
      if (condition === "next-exit") await ask("POST", `/containers/${id}/start`);
      attached.write("go\n");
      expect(await wire.until("}")).toContain('{"StatusCode":99}');
    },
  );
});

describe("logs", () => {
  test("O146: the streams that were chosen, with and without times, from a line on", async () => {
    const script = "echo one; echo two >&2; printf three";
    const { id } = await run({ command: ["sh", "-c", script] });
    await fleet.client.wait({ container: id });
    const logs = async (query: string): Promise<string> => {
      using wire = await DockerWire.open(unix, {
        method: "GET",
        path: `/v1.44/containers/${id}/logs?${query}`,
      });
      expect(wire.headers["content-type"]).toBe("application/vnd.docker.multiplexed-stream");
      return await wire.until("0\r\n\r\n");
    };
    const both = await logs("stdout=1&stderr=1");
    expect(both).toContain("\u0001\0\0\0\0\0\0\u0004one\n");
    expect(both).toContain("\u0002\0\0\0\0\0\0\u0004two\n");
    expect(both).toContain("\u0001\0\0\0\0\0\0\u0005three");
    expect(await logs("stderr=1")).not.toContain("one");
    expect(await logs("stdout=1&tail=1")).not.toContain("one");
    expect(await logs("stdout=1&timestamps=1")).toMatch(/\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z one\n/);
    expect(await logs("stdout=1&since=4102444800")).not.toContain("one");
    expect((await ask("GET", `/containers/${id}/logs`)).status).toBe(400);
    expect((await ask("GET", "/containers/nobody/logs?stdout=1")).status).toBe(404);
  });

  test("O147: followed, the head comes before any output", async () => {
    const path = "/containers/web/logs?follow=1&stdout=1";
    using wire = await DockerWire.open(tcp, { method: "GET", path });
    expect(wire.status).toBe(200);
  });
});
