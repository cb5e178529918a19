/**
 * Commits the ends of exec sessions. The monitor of a session writes the exit code to the session's exit directory, which is watched while
 * the session runs. A loop finds monitors that were killed; their sessions are ended with an unknown exit code.
 */
import { type FSWatcher, watch } from "node:fs";
import { rm } from "node:fs/promises";

import { attemptAll } from "@podfleet/base/attempt-all";
import type { Clock } from "@podfleet/base/clock";
import { hasErrno } from "@podfleet/base/errno";
import { Loop, type LoopFailure } from "@podfleet/base/loop";
import type { ExecId } from "@podfleet/model/ids";
import { endProcess, identityOf, isAlive } from "@podfleet/oci/process/process-identity";

import { type ExitRecord, readExitFile } from "../container/exit-watcher.ts";
import type { EnginePaths } from "../host/engine-paths.ts";
import type { ExecRecord } from "../state/exec-record.ts";
import type { ExecStore } from "../state/exec-store.ts";

/** How soon the end of a killed monitor is noticed. */
const intervalMs = 400;
/** The longest time from SIGKILL to the end of a process. */
const endTimeoutMs = 5_000;
/** How much earlier than asked for the monitor may kill the command: it counts in whole seconds. */
const timerSlackMs = 500;

export interface ExecWatcherParts {
  readonly clock: Clock;
  readonly paths: Pick<EnginePaths, "execBundle" | "execExit" | "execExits">;
  readonly execs: Pick<ExecStore, "find" | "list" | "onChange" | "update">;
  /** Called with failures of work in the background. */
  readonly onFailure: (failure: LoopFailure) => void;
}

export class ExecWatcher {
  readonly loop: Loop;
  readonly #parts: ExecWatcherParts;
  readonly #watchers = new Map<ExecId, FSWatcher>();
  readonly #losing = new Map<ExecId, Promise<void>>();
  readonly #underWay = new Set<Promise<void>>();

  constructor(parts: ExecWatcherParts) {
    this.#parts = parts;
    const { clock, onFailure } = parts;
    const run = async (): Promise<void> => await this.#look();
    this.loop = new Loop({ name: "exec-watcher", intervalMs, clock, run, onFailure });
  }

  /** Watches for the end of a running session, which may have ended already. */
  watch(id: ExecId): void {
    try {
      const watcher = watch(this.#parts.paths.execExits(id), () => this.#checkNow(id));
      watcher.on("error", (error) => this.#report(error));
      this.#watchers.set(id, watcher);
    } catch (error) {
      // Safe to ignore: the loop sees the end of the monitor. The directory is missing when it was removed from outside.
      if (!hasErrno(error, "ENOENT")) this.#report(error);
    }
    this.#checkNow(id);
  }

  /** Commits the end of each session whose monitor has ended. */
  async #look(): Promise<void> {
    await attemptAll(this.#parts.execs.list(), ({ session, processes }) => {
      if (session.state !== "running") return;
      const monitor = identityOf(processes.monitorPid, processes.monitorStartTicks);
      if (!monitor || !isAlive(monitor)) this.#check(session.id);
    });
  }

  /**
   * Resolves when the session has ended: by itself within `graceMs`, or killed with its monitor after that. Resolves at once for a session
   * that has ended or is not on record.
   */
  async end(id: ExecId, graceMs: number): Promise<void> {
    const { clock, execs } = this.#parts;
    const timer = new AbortController();
    const ended = Promise.withResolvers<"ended">();
    const check = (): void => {
      if (execs.find(id)?.session.state !== "running") ended.resolve("ended");
    };
    const unsubscribe = execs.onChange(id, check);
    try {
      this.#checkNow(id);
      check();
      const expiry = clock.sleep(graceMs, timer.signal);
      // Safe to ignore: the sleep rejects only because it is ended below.
      expiry.catch(() => undefined);
      if ((await Promise.race([ended.promise, expiry])) !== "ended") await this.lose(id);
    } finally {
      timer.abort();
      unsubscribe();
    }
  }

  /** Kills the processes of a running session and commits its end, with an unknown exit code unless its monitor has written one. */
  async lose(id: ExecId): Promise<void> {
    const losing = this.#losing.get(id) ?? this.#lose(id).finally(() => this.#losing.delete(id));
    this.#losing.set(id, losing);
    await losing;
  }

  async close(): Promise<void> {
    await this.loop.stop();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    await Promise.all(this.#underWay);
  }

  /** Leaves what fails to the loop. */
  #checkNow(id: ExecId): void {
    try {
      this.#check(id);
    } catch (error) {
      this.#report(error);
    }
  }

  #check(id: ExecId): void {
    const { execs, paths } = this.#parts;
    const record = execs.find(id);
    if (record?.session.state !== "running") return;
    const { processes, session } = record;
    const monitor = identityOf(processes.monitorPid, processes.monitorStartTicks);
    const isMonitored = monitor !== undefined && isAlive(monitor);
    // Read after the check of the monitor, which may write the file and end in between.
    const exit = readExitFile(paths.execExit(id, session.containerId));
    if (exit) this.#commitEnd(record, exit);
    else if (!isMonitored) this.#track(this.lose(id));
  }

  async #lose(id: ExecId): Promise<void> {
    const { clock, execs, paths } = this.#parts;
    const record = execs.find(id);
    if (record?.session.state !== "running") return;
    const { processes, session } = record;
    const monitor = identityOf(processes.monitorPid, processes.monitorStartTicks);
    const process = identityOf(session.pid, processes.startTicks);
    for (const identity of [monitor, process]) {
      if (identity) await endProcess(identity, endTimeoutMs, clock);
    }
    if (execs.find(id)?.session.state !== "running") return;
    const exit = readExitFile(paths.execExit(id, session.containerId));
    this.#commitEnd(record, exit ?? { exitCode: undefined, atMs: clock.nowMs() });
  }

  #commitEnd({ session }: ExecRecord, { exitCode, atMs }: ExitRecord): void {
    const { id, spec } = session;
    const ranMs = atMs - Date.parse(session.createdAt);
    const limitMs = (spec.timeoutSeconds ?? Number.POSITIVE_INFINITY) * 1_000 - timerSlackMs;
    const timedOut = exitCode === undefined && ranMs >= limitMs;
    const exitUnknown = exitCode === undefined && !timedOut;
    const finishedAt = new Date(atMs).toISOString();
    this.#parts.execs.update(
      id,
      {
        state: "exited",
        pid: undefined,
        processes: {},
        exitCode,
        exitUnknown,
        timedOut,
        finishedAt,
      },
      {
        event: "exec.died",
        attributes: {
          ...(exitCode === undefined ? {} : { exitCode }),
          ...(exitUnknown ? { exitUnknown } : {}),
          ...(timedOut ? { timedOut } : {}),
        },
      },
    );
    this.#watchers.get(id)?.close();
    this.#watchers.delete(id);
    this.#track(rm(this.#parts.paths.execBundle(id), { recursive: true, force: true }));
  }

  #report(error: unknown): void {
    this.#parts.onFailure({ name: this.loop.name, error, failures: 1 });
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.#report(error))
      .finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }
}
