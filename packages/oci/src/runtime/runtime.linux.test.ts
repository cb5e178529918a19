/** What the engine expects of an OCI runtime under conmon; each runtime has to meet it. */
import { access, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

import type { ContainerSpecInput } from "@podfleet/model/container/spec";
import { type ErrorCode, hasCode } from "@podfleet/model/errors";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { monitorVersion } from "../monitor/monitor.ts";
import { listProcesses } from "../process/process-table.ts";
import { runCommand } from "../process/run-command.ts";
import { runtimeNames } from "./runtime.ts";
import { createTestHost, type TestHost } from "./test-host.ts";

const SIGKILL = 9;
const SIGTERM = 15;

test("conmon says its version", async () => {
  expect(await monitorVersion()).toMatch(/^\d+\.\d+/);
});

describe.each(runtimeNames)("%s", (name) => {
  let host: TestHost;

  beforeAll(async () => {
    host = await createTestHost(name);
  });

  afterAll(async () => {
    await host[Symbol.asyncDispose]();
  });

  /** What `script` writes in a container of `spec`. */
  async function outputOf(script: string, spec: Partial<ContainerSpecInput> = {}): Promise<string> {
    return (await host.container({ command: ["sh", "-c", script], ...spec }).run()).output;
  }

  test("says its version", async () => {
    expect(await host.runtime.version()).toMatch(/^\d+\.\d+/);
  });

  describe("a container's life", () => {
    test("created, running, stopped, gone", async () => {
      const container = host.container({
        command: ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.01; done"],
      });
      const { id } = container;
      expect(await host.runtime.state(id)).toBeUndefined();
      const { pid, monitorPid } = await container.create();
      expect(await host.runtime.state(id)).toEqual({ status: "created", pid });
      expect(await readFile(`/proc/${monitorPid}/comm`, "utf8")).toBe("conmon\n");
      await host.runtime.start(id);
      expect(await host.runtime.state(id)).toEqual({ status: "running", pid });
      expect(await host.runtime.list()).toEqual([{ id, status: "running", pid }]);
      await waitFor(async () => (await readFile(`/proc/${pid}/comm`, "utf8")) === "sh\n", {
        what: "the command",
      });
      await host.runtime.kill(id, SIGTERM);
      expect(await container.exitCode()).toBe(7);
      expect(await host.runtime.state(id)).toEqual({ status: "stopped", pid: 0 });
      await host.runtime.delete(id);
      expect(await host.runtime.state(id)).toBeUndefined();
      expect(await host.runtime.list()).toEqual([]);
    });

    test("deleting with force ends it", async () => {
      const container = host.container({ command: ["sleep", "1000"] });
      await container.create();
      await host.runtime.start(container.id);
      await host.runtime.delete(container.id, { force: true });
      expect(await container.exitCode()).toBe(128 + SIGKILL);
      expect(await host.runtime.state(container.id)).toBeUndefined();
    });

    test("killing what has ended, and deleting what is not there, is harmless", async () => {
      const container = host.container({ command: ["true"] });
      await container.create();
      await host.runtime.start(container.id);
      await container.exitCode();
      await host.runtime.kill(container.id, SIGTERM);
      await host.runtime.kill(container.id, SIGKILL, { all: true });
      await host.runtime.delete(container.id, { force: true });
      await host.runtime.delete(container.id, { force: true });
      expect(await host.runtime.state(container.id)).toBeUndefined();
    });

    test("starting what has ended is a failure with the runtime's reason", async () => {
      const container = host.container({ command: ["true"] });
      await container.create();
      await host.runtime.start(container.id);
      await container.exitCode();
      await expect(host.runtime.start(container.id)).rejects.toSatisfy((error) =>
        hasCode(error, "RUNTIME_FAILED"),
      );
      await host.runtime.delete(container.id);
    });

    test("a second run adds to the journal", async () => {
      const container = host.container({ command: ["sh", "-c", "echo run; exit 3"] });
      expect((await container.run()).output).toBe("run\n");
      expect(await container.run()).toEqual({ exitCode: 3, output: "run\nrun\n" });
    });

    test("the monitor is in a cgroup of its own, apart from the container's", async () => {
      const container = host.container({ command: ["sleep", "1000"] });
      const { pid, monitorPid } = await container.create();
      const cgroups = async (of: number): Promise<string> =>
        await readFile(`/proc/${of}/cgroup`, "utf8");
      await waitFor(async () => /\/monitors$/m.test(await cgroups(monitorPid)), {
        what: "the monitor in its cgroup",
      });
      expect(await cgroups(pid)).toMatch(new RegExp(`/${container.id}$`, "m"));
      await host.runtime.delete(container.id, { force: true });
    });
  });

  describe("refused", () => {
    test.each<[string, Partial<ContainerSpecInput>, ErrorCode, string]>([
      [
        "a command that is not on the PATH",
        { command: ["nosuch"] },
        "COMMAND_NOT_FOUND",
        '"nosuch"',
      ],
      ["a command at a path", { command: ["/bin/nosuch"] }, "COMMAND_NOT_FOUND", '"/bin/nosuch"'],
      ["a directory", { command: ["/etc"] }, "COMMAND_NOT_EXECUTABLE", '"/etc"'],
      ["a plain file", { command: ["/etc/passwd"] }, "COMMAND_NOT_EXECUTABLE", '"/etc/passwd"'],
      ["a workdir that is missing", { workdir: "/no/where" }, "INVALID_INPUT", '"/no/where"'],
      ["a workdir that is a file", { workdir: "/etc/passwd" }, "INVALID_INPUT", '"/etc/passwd"'],
      ["an unknown user", { user: "bob" }, "INVALID_INPUT", '"bob"'],
      [
        "a bind of what is not there",
        { mounts: [{ type: "bind", source: "/no/x", destination: "/x" }] },
        "INVALID_INPUT",
        '"/no/x"',
      ],
    ])("%s", async (_name, spec, code, named) => {
      const container = host.container(spec);
      const creating = container.create();
      await expect(creating).rejects.toSatisfy((error) => hasCode(error, code));
      await expect(creating).rejects.toThrow(named);
      await host.runtime.delete(container.id, { force: true });
      expect(await host.runtime.state(container.id)).toBeUndefined();
      await waitFor(() => monitorsOf(container.id).length === 0, {
        what: "the monitor to end",
      });
    });
  });

  describe("what the command finds", () => {
    test("no more than the default capabilities, a filter, and no new privileges", async () => {
      const status = await outputOf("cat /proc/self/status");
      expect(status).toMatch(/^CapEff:\t00000000800405fb$/m);
      expect(status).toMatch(/^CapBnd:\t00000000800405fb$/m);
      expect(status).toMatch(/^CapInh:\t0000000000000000$/m);
      expect(status).toMatch(/^Seccomp:\t2$/m);
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    });

    test("a namespace cannot be made, unless unconfined and privileged", async () => {
      const script = "unshare -m true && echo made";
      expect(await outputOf(script)).toContain("Operation not permitted");
      expect(await outputOf(script, { privileged: true })).toBe("made\n");
    });

    test("the user, its groups and its home", async () => {
      const script = "id -u; id -g; id -G; echo $HOME";
      expect(await outputOf(script, { user: "app" })).toBe("1000\n1000\n1000 50\n/home/app\n");
      expect(await outputOf(script, { user: "7:8", groups: ["staff"] })).toBe("7\n8\n8 50\n/\n");
    });

    test("environment, hostname and /etc", async () => {
      const script = "echo $A $TERM; hostname; cat /etc/hostname; grep -c web-1 /etc/hosts";
      const spec = { env: { A: "b" }, hostname: "web-1", tty: false };
      expect(await outputOf(script, spec)).toBe("b\nweb-1\nweb-1\n1\n");
    });

    test("limits", async () => {
      const script =
        "ulimit -n; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null";
      const resources = { memoryBytes: 32 * 1024 * 1024, pidsLimit: 50, cpus: 0.5 };
      const rlimits = [{ type: "nofile", soft: 512, hard: -1 } as const];
      expect(await outputOf(script, { resources, rlimits })).toBe("512\n33554432\n");
    });

    test("O144, O145: mounts of the host and of its own, a workdir in one of them", async () => {
      const source = join(host.root, "source");
      await mkdir(join(source, "inner"), { recursive: true });
      await writeFile(join(source, "inner/file"), "from the host\n");
      const mounts: ContainerSpecInput["mounts"] = [
        { type: "tmpfs", destination: "/scratch", sizeBytes: 65_536, mode: "0700" },
        { type: "bind", source, destination: "/data/ro", readOnly: true },
        { type: "bind", source, destination: "/data/rw", readOnly: false },
      ];
      const script =
        "cat file; touch x 2>&1; touch /data/rw/x; stat -c %a /scratch; touch /scratch/x && echo made; df -k /scratch | awk 'END { print $2 }'";
      const output = await outputOf(script, { mounts, workdir: "/data/ro/inner" });
      expect(output).toBe("from the host\ntouch: x: Read-only file system\n700\nmade\n64\n");
      expect(await readdir(source)).toContain("x");
    });

    test("a read-only root with room to write where programs need it", async () => {
      const script = "touch /x 2>&1; touch /tmp/x && touch /run/x && echo made";
      const output = await outputOf(script, { readOnlyRoot: true });
      expect(output).toBe("touch: /x: Read-only file system\nmade\n");
    });

    test("a terminal when it has one", async () => {
      const container = host.container({ command: ["sh", "-c", "tty; echo $TERM"], tty: true });
      expect((await container.run()).output).toBe("/dev/pts/0\r\nxterm\r\n");
    });

    test("only loopback without a network", async () => {
      expect(await outputOf("ls /sys/class/net")).toBe("lo\n");
    });
  });

  test("standard input arrives through the bundle's socket, however long its path", async () => {
    const container = host.container({ command: ["head", "-n", "1"], stdin: true });
    expect(join(container.bundle, "attach").length).toBeGreaterThan(108);
    await container.create();
    await host.runtime.start(container.id);
    await runCommand("socat", ["-u", "-", "UNIX-CONNECT:attach,type=5"], {
      timeoutMs: 5_000,
      spanName: "socat",
      cwd: container.bundle,
      input: "typed\n",
    });
    expect(await container.exitCode()).toBe(0);
    expect(await container.output()).toBe("typed\n");
    await host.runtime.delete(container.id);
  });

  test("running out of memory leaves a mark in the bundle", async () => {
    const container = host.container({
      command: ["sh", "-c", "x=$(yes)"],
      resources: { memoryBytes: 16 * 1024 * 1024 },
    });
    await container.create();
    await host.runtime.start(container.id);
    expect(await container.exitCode()).toBe(128 + SIGKILL);
    await access(join(container.bundle, "oom"));
    await host.runtime.delete(container.id);
  });
});

/** Ids of the monitors of a container's, by their command lines. */
function monitorsOf(id: string): number[] {
  return listProcesses()
    .filter(
      ({ argv: [program = "", ...args] }) => basename(program) === "conmon" && args.includes(id),
    )
    .map(({ pid }) => pid);
}
