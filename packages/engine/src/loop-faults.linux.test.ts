/** Every loop of the engine, with what may go wrong in it: it goes on, and nothing else stops. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { type Clock, systemClock } from "@podfleet/base/clock";
import type { LoopStatus } from "@podfleet/base/loop";
import { type ContainerId, newContainerId } from "@podfleet/model/ids";
import { eventually, waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { EngineProblem } from "./host/engine-options.ts";
import { EngineUnderTest } from "./test-engine.ts";
import { start } from "./test-exec.ts";

const bytesMax = 1024 ** 2;
const problems: EngineProblem[] = [];

/** Time for which the housekeeper's minute is a moment. */
const clock: Clock = {
  ...systemClock,
  sleep: async (durationMs, signal) => {
    const isMinute = durationMs > 50_000 && durationMs <= 60_000;
    // oxlint-disable-next-line no-restricted-properties -- it is the clock of an engine
    await systemClock.sleep(isMinute ? 300 : durationMs, signal);
  },
};

let under: EngineUnderTest;
beforeAll(async () => {
  under = await EngineUnderTest.open();
  const onProblem = (problem: EngineProblem): unknown => problems.push(problem);
  await under.reopen({ clock, journalBytesMax: bytesMax, onProblem });
});
afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

function statusOf(name: string): LoopStatus {
  const status = under.engine.loops().find((loop) => loop.name === name);
  if (!status) throw new Error(`No loop is called "${name}"`);
  return status;
}

/** A bound on the files that this process has open, below what it has: each further one is EMFILE. */
class FileLimit {
  readonly #shell: ChildProcess;

  private constructor(shell: ChildProcess) {
    this.#shell = shell;
  }

  static async reach(): Promise<FileLimit> {
    const script = `old=$(prlimit --pid "$0" --nofile -o SOFT --noheadings)
      prlimit --pid "$0" --nofile=3:
      read _
      prlimit --pid "$0" --nofile="$old:"`;
    const shell = spawn("sh", ["-c", script, String(process.pid)], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    await waitFor(isFull, { what: "the limit" });
    return new FileLimit(shell);
  }

  async lift(): Promise<void> {
    const ended = once(this.#shell, "exit");
    this.#shell.stdin?.end("\n");
    await ended;
  }
}

async function isFull(): Promise<boolean> {
  try {
    await readdir("/proc/self");
    return false;
  } catch {
    // Safe to ignore: it is what is waited for.
    return true;
  }
}

describe("too many open files (EMFILE)", () => {
  const names = ["monitor-watcher", "exec-watcher", "journal-retention", "housekeeper"];
  const failuresOf = new Map<string, number>();
  const before = { checks: 0 };
  let ids: Record<"exited" | "restarting" | "checked" | "written", ContainerId>;
  let execEnd: () => string;

  beforeAll(async () => {
    const hold = "until [ -e /go ]; do sleep 0.05; done";
    const exited = await under.run(hold);
    const restarting = await under.run("exec sleep 600", {
      restartPolicy: { name: "always" },
      stopTimeoutSeconds: 0,
    });
    const checked = await under.run("exec sleep 600", {
      healthcheck: { command: ["true"], intervalMs: 200 },
    });
    const written = await under.run("while :; do seq 1 20000; sleep 0.1; done");
    const session = await start(under, checked, hold);
    const exec = { containerId: checked, execId: session.id };
    execEnd = () => under.engine.execs.inspect(exec).state;
    ids = { exited, restarting, checked, written };
    const pids = [exited, restarting].map((id) => under.snapshot(id).pid);
    pids.push(under.engine.execs.inspect(exec).pid);

    const limit = await FileLimit.reach();
    try {
      for (const pid of pids) if (pid !== undefined) process.kill(pid, "SIGKILL");
      await waitFor(
        () => {
          for (const name of names) {
            const { failures } = statusOf(name);
            failuresOf.set(name, Math.max(failuresOf.get(name) ?? 0, failures));
          }
          return names.every((name) => (failuresOf.get(name) ?? 0) > 1);
        },
        { what: "every loop to fail twice" },
      );
      before.checks = statusOf("health-scheduler").runs;
    } finally {
      await limit.lift();
    }
  });

  test.each(names)("%s fails, is reported a few times, and goes on", async (name) => {
    expect(failuresOf.get(name)).toBeGreaterThan(1);
    const reports = problems.filter(({ loop }) => loop === name);
    expect(reports.length).toBeGreaterThan(0);
    expect(reports.length).toBeLessThan(10);
    await waitFor(() => statusOf(name).failures === 0, { what: `${name} to go on` });
  });

  test("reaper: a container that ended meanwhile is cleaned up", async () => {
    await eventually(() => expect(under.snapshot(ids.exited).state).toBe("exited"));
    await eventually(() => expect(statusOf("reaper").failures).toBe(0));
  });

  test("restart-scheduler: a container goes on being started", async () => {
    await eventually(() => {
      const { run, state } = under.snapshot(ids.restarting);
      expect(state).toBe("running");
      expect(run).toBeGreaterThan(1);
    });
  });

  test("health-scheduler: a container goes on being checked", async () => {
    const checkedAt = async () =>
      (await under.engine.inspect(ids.checked)).healthLog?.results.at(-1)?.finishedAt;
    const last = await checkedAt();
    await waitFor(async () => (await checkedAt()) !== last, { what: "a check" });
    expect(statusOf("health-scheduler").runs).toBeGreaterThan(before.checks);
  });

  test("exec-watcher: a session that ended meanwhile has ended", async () => {
    await eventually(() => expect(execEnd()).toBe("exited"));
  });

  test("journal-retention: a journal is bounded", async () => {
    const offset = async () =>
      (await under.engine.locateJournal({ containerId: ids.written as never })).offset;
    const first = await offset();
    await eventually(async () => expect(await offset()).toBeGreaterThan(first));
  });
});

test("a foreign file: the housekeeper leaves it alone, reports it once and cleans up the rest", async () => {
  const folders = ["journals", "execs", "images/uploads"];
  const journals = join(under.options.dataRoot, "journals");
  problems.length = 0;
  const gone = newContainerId();
  await writeFile(join(journals, gone), "of no container");
  for (const folder of folders) {
    await writeFile(join(under.options.dataRoot, folder, "notes.txt"), "not the engine's");
  }
  const { runs } = statusOf("housekeeper");
  await waitFor(() => statusOf("housekeeper").runs > runs + 3, { what: "a few runs" });
  expect(statusOf("housekeeper")).toMatchObject({ failures: 0, lastResult: { foreign: 3 } });
  const reports = problems.filter(({ loop }) => loop === "housekeeper");
  expect(reports).toHaveLength(1);
  expect(String(reports[0]?.error)).toContain("journals/notes.txt");
  const left = await readdir(journals);
  expect(left).toContain("notes.txt");
  expect(left).not.toContain(gone);
});
