/**
 * Ends of exec sessions. The monitor of a session writes the exit code to the session's exit directory, which is watched while the session
 * runs. A monitor that dies without that is noticed by `look`; its session is ended then, and its exit code is unknown.
 */
import { type FSWatcher, watch } from "node:fs";
import { rm } from "node:fs/promises";

import { hasErrno } from "@podfleet/base/errno";
import type { ExecId } from "@podfleet/model/ids";
import { endProcess, identityOf, isAlive } from "@podfleet/oci/process/process-identity";

import type { EngineParts } from "../container/engine-parts.ts";
import { type ExitRecord, readExitFile } from "../container/exit-watcher.ts";
import type { ExecRecord } from "../state/exec-record.ts";

/** From SIGKILL to the end of a process. */
const endTimeoutMs = 5_000;
/** How much earlier than asked for the monitor's timer may strike: it counts in whole seconds. */
const timerSlackMs = 500;

export interface ExecWatcherOptions {
  readonly parts: Pick<EngineParts, "clock" | "paths" | "execs">;
  /** Told of what failed in the background. */
  readonly onFailure: (error: unknown, id: ExecId) => void;
}

export class ExecWatcher {
  readonly #parts: ExecWatcherOptions["parts"];
  readonly #onFailure: ExecWatcherOptions["onFailure"];
  readonly #watchers = new Map<ExecId, FSWatcher>();
  readonly #losing = new Map<ExecId, Promise<void>>();
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: ExecWatcherOptions) {
    this.#parts = options.parts;
    this.#onFailure = options.onFailure;
  }

  /** Watches for the end of a session that runs; it may have come already. */
  watch(id: ExecId): void {
    try {
      const watcher = watch(this.#parts.paths.execExits(id), () => this.#check(id));
      this.#watchers.set(id, watcher);
    } catch (error) {
      // Somebody has taken the directory away: only the end of the monitor can be seen then.
      if (!hasErrno(error, "ENOENT")) throw error;
    }
    this.#check(id);
  }

  /** Takes note of the end of each session whose monitor is gone. */
  look(): void {
    for (const { session, processes } of this.#parts.execs.list()) {
      if (session.state !== "running") continue;
      const monitor = identityOf(processes.monitorPid, processes.monitorStartTicks);
      if (!monitor || !isAlive(monitor)) this.#check(session.id);
    }
  }

  /**
   * Resolves when the session has ended: by itself within `graceMs`, or killed with its monitor after that. Harmless when it
   * has ended, or is no more.
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
      this.#check(id);
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

  /** Kills what is left of a running session and commits that nobody knows how it ended, unless its monitor has said so. */
  async lose(id: ExecId): Promise<void> {
    const losing = this.#losing.get(id) ?? this.#lose(id).finally(() => this.#losing.delete(id));
    this.#losing.set(id, losing);
    await losing;
  }

  async close(): Promise<void> {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    await Promise.all(this.#underWay);
  }

  #check(id: ExecId): void {
    const { execs, paths } = this.#parts;
    const record = execs.find(id);
    if (record?.session.state !== "running") return;
    const { processes, session } = record;
    const monitor = identityOf(processes.monitorPid, processes.monitorStartTicks);
    const isMonitored = monitor !== undefined && isAlive(monitor);
    // Looked for after the monitor: its file may come in between, and counts.
    const exit = readExitFile(paths.execExit(id, session.containerId));
    if (exit) this.#commitEnd(record, exit);
    else if (!isMonitored) this.#track(id, this.lose(id));
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
    this.#track(id, rm(this.#parts.paths.execBundle(id), { recursive: true, force: true }));
  }

  #track(id: ExecId, work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.#onFailure(error, id))
      .finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }
}
