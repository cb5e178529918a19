import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { ContainerId } from "@podfleet/model/ids";
import { cgroupDirectories, readCgroupHierarchies } from "@podfleet/oci/cgroup/cgroup";
import { runtimeNames } from "@podfleet/oci/runtime/runtime";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { EngineUnderTest, failureOf } from "../test-engine.ts";
import { startFailure } from "../test-exec.ts";

const pause = { verb: "container.pause" } as const;
const unpause = { verb: "container.unpause" } as const;

describe.each(runtimeNames)("with %s", (runtime) => {
  let under: EngineUnderTest;

  beforeAll(async () => {
    under = await EngineUnderTest.open(runtime);
  });

  afterAll(async () => {
    await under[Symbol.asyncDispose]();
  });

  test("P1, O107: a paused container makes no progress; to pause it again is an error of its own", async () => {
    const id = await under.run("while :; do echo tick; sleep 0.02; done");
    await under.printed(id, "tick");
    expect(await under.do(id, pause)).toMatchObject({ state: "paused" });
    const before = await under.output(id);
    const second = failureOf(await under.perform(id, pause));
    expect(second.code).toBe("ALREADY_PAUSED");
    expect(second.message).toContain("paused");
    expect(await under.output(id)).toBe(before);
    expect(await under.do(id, unpause)).toMatchObject({ state: "running", run: 1 });
    await under.printed(id, `${before}tick`);
    const types = under.events(id).map(({ type }) => type);
    expect(types.slice(-3)).toEqual(["container.pause", "operation.finished", "container.unpause"]);
  });

  test("O106: a pause is a gap in what is written, in which nothing is lost", async () => {
    const script =
      "i=0; while read up _ < /proc/uptime; do i=$((i+1)); echo $i $up; usleep 20000; done";
    const [id, other] = await Promise.all([under.run(script), under.run(script)]);
    await Promise.all([under.printed(id, "\n5 "), under.printed(other, "\n5 ")]);
    await under.do(id, pause);
    const before = (await linesOf(other)).length;
    await under.printed(other, `\n${before + 20} `);
    const meanwhile = (await linesOf(other)).slice(before);
    await under.do(id, unpause);
    const last = (await linesOf(id)).length;
    await under.printed(id, `\n${last + 5} `);
    const lines = await linesOf(id);
    expect(lines.map(({ count }) => count)).toEqual(lines.map((_, index) => index + 1));
    const [from = 0, to = 0] = [meanwhile.at(0)?.uptime, meanwhile.at(-1)?.uptime];
    expect(to - from).toBeGreaterThan(0);
    expect(lines.filter(({ uptime }) => uptime > from && uptime < to)).toEqual([]);
  });

  async function linesOf(id: ContainerId): Promise<{ count: number; uptime: number }[]> {
    const lines = (await under.output(id)).trimEnd().split("\n");
    return lines.map((line) => {
      const [count, uptime] = line.split(" ").map(Number);
      return { count: count ?? 0, uptime: uptime ?? 0 };
    });
  }

  test("P2, O108: what is not paused cannot be unpaused, what does not run cannot be paused", async () => {
    const id = await under.create();
    expect(failureOf(await under.perform(id, unpause)).code).toBe("NOT_PAUSED");
    expect(failureOf(await under.perform(id, pause)).code).toBe("STATE_INVALID");
    await under.do(id, { verb: "container.init" });
    expect(failureOf(await under.perform(id, pause)).code).toBe("STATE_INVALID");
    await under.start(id);
    expect(failureOf(await under.perform(id, unpause)).code).toBe("NOT_PAUSED");
    await under.stop(id, 0);
    expect(failureOf(await under.perform(id, pause)).code).toBe("STATE_INVALID");
  });

  test("P3: a paused container is neither stopped nor killed, and no command runs in it; it can be unpaused then", async () => {
    const id = await under.create();
    await under.start(id);
    await under.do(id, pause);
    const stop = failureOf(await under.perform(id, { verb: "container.stop" }));
    expect(stop).toMatchObject({ code: "STATE_INVALID" });
    expect(stop.message).toContain('"paused"');
    const kill = failureOf(await under.perform(id, { verb: "container.kill", signal: 9 }));
    expect(kill).toMatchObject({ code: "STATE_INVALID" });
    expect(await startFailure(under, id, "true")).toMatchObject({ code: "CANNOT_INVOKE" });
    expect(await under.do(id, unpause)).toMatchObject({ state: "running" });
    expect((await under.stop(id, 0)).exitCode).toBe(137);
  });

  test("a paused container is removed by force", async () => {
    const id = await under.create();
    await under.start(id);
    await under.do(id, pause);
    await under.remove(id);
    expect(under.engine.containers().some((container) => container.id === id)).toBe(false);
  });

  test("update sets limits of a container that runs, and takes them away again", async () => {
    const id = await under.create({ resources: { memoryBytes: 64 * 2 ** 20, cpus: 0.5 } });
    await under.start(id);
    expect(await limitOf(id, "memory")).toBe(String(64 * 2 ** 20));
    const raised = { memoryBytes: 256 * 2 ** 20, pidsLimit: 50 };
    const updated = await under.do(id, { verb: "container.update", resources: raised });
    expect(updated.specChanges).toEqual({ resources: { ...raised, cpus: 0.5 } });
    expect(await limitOf(id, "memory")).toBe(String(256 * 2 ** 20));
    expect(await limitOf(id, "pids")).toBe("50");
    expect(await limitOf(id, "cpu")).toBe("50000");
    const none = { memoryBytes: null, cpus: null };
    await under.do(id, { verb: "container.update", resources: none });
    expect(Number(await limitOf(id, "memory"))).toBeGreaterThan(2 ** 50);
    expect(["-1", "max", "819200000"]).toContain(await limitOf(id, "cpu"));
    expect((await under.engine.inspect(id)).spec.resources).toEqual({ pidsLimit: 50 });
    await under.stop(id, 0);
    await under.start(id);
    expect(await limitOf(id, "pids")).toBe("50");
  });

  const files = {
    memory: { v1: "memory.limit_in_bytes", v2: "memory.max" },
    pids: { v1: "pids.max", v2: "pids.max" },
    cpu: { v1: "cpu.cfs_quota_us", v2: "cpu.max" },
  } as const;

  async function limitOf(id: ContainerId, controller: keyof typeof files): Promise<string> {
    const cgroups = await readCgroupHierarchies();
    const path = `${under.options.cgroupParent}/${id}`;
    for (const directory of cgroupDirectories(cgroups, path)) {
      for (const file of Object.values(files[controller])) {
        const found = await readFile(join(directory, file), "utf8").catch(() => undefined);
        if (found !== undefined) return found.trim().split(" ")[0] ?? "";
      }
    }
    throw new Error(`No limit of ${controller}`);
  }
});
