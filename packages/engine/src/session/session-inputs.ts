/**
 * Who writes to which command. The input of a command ends when a session that writes has ended its input and none is left that may
 * still write; a terminal's does not end.
 */
import { basename, dirname, join } from "node:path";

import { CommandInput, inputFile } from "@podfleet/journal/input/command-input";
import { type Feeder, findFeeders } from "@podfleet/journal/input/feeder";
import { containerIdSchema, execIdSchema, type SessionId } from "@podfleet/model/ids";
import type { Session } from "@podfleet/model/session";

import type { EngineParts } from "../container/engine-parts.ts";
import { type SessionTarget, targetOf } from "./session-target.ts";

export interface SessionInputsOptions {
  readonly parts: EngineParts;
  /** More can be written to the command of this target. */
  readonly onRoom: (key: string) => void;
  readonly onFailure: (error: unknown) => void;
}

export class SessionInputs {
  readonly #options: SessionInputsOptions;
  /** Of commands that run, by their targets' keys; undefined when it failed. */
  readonly #inputs = new Map<string, CommandInput | undefined>();
  /** Feeders that an earlier engine has left, by their files. */
  readonly #feeders: Map<string, Feeder>;
  readonly #closing = new Set<Promise<void>>();

  constructor(options: SessionInputsOptions) {
    const { paths } = options.parts;
    this.#options = options;
    this.#feeders = findFeeders([paths.bundles, paths.execBundles]);
    for (const file of this.#feeders.keys()) this.#adopt(file);
  }

  /** The input of a command; undefined unless it runs and has one. */
  find(target: SessionTarget): CommandInput | undefined {
    if (this.#inputs.has(target.key)) return this.#inputs.get(target.key);
    if (!target.stdin || target.state().is !== "running") return undefined;
    const input = this.#open(target);
    this.#inputs.set(target.key, input);
    const unsubscribe = target.subscribe(() => {
      if (target.state().is === "running") return;
      unsubscribe();
      this.#inputs.delete(target.key);
      if (input) this.#close(input, true);
    });
    return input;
  }

  /** Ends the command's input when nobody is left who may write. */
  conclude(target: SessionTarget): void {
    const input = target.tty ? undefined : this.#inputs.get(target.key);
    if (!input || input.ended.length === 0) return;
    const ended = new Set<SessionId>(input.ended);
    if (this.writers(target).every(({ id }) => ended.has(id))) input.finish();
  }

  /** Sessions that have not ended and may write to the command. */
  writers(target: SessionTarget): Session[] {
    const { parts } = this.#options;
    return parts.sessions
      .list()
      .map(({ session }) => session)
      .filter(({ end, spec }) => end === undefined && spec.input !== "none")
      .filter((session) => targetOf(parts, session).key === target.key);
  }

  /** The feeders go on. */
  async close(): Promise<void> {
    for (const input of this.#inputs.values()) if (input) this.#close(input, false);
    this.#inputs.clear();
    await Promise.all(this.#closing);
  }

  #open(target: SessionTarget): CommandInput | undefined {
    const { parts, onRoom, onFailure } = this.#options;
    const file = join(target.bundle, inputFile);
    const feeder = this.#feeders.get(file);
    this.#feeders.delete(file);
    try {
      return new CommandInput({
        bundle: target.bundle,
        clock: parts.clock,
        cgroup: parts.monitorCgroup,
        feeder,
        isKept: (id) => parts.sessions.find(id) !== undefined,
        onRoom: () => onRoom(target.key),
        onFailure,
      });
    } catch (error) {
      onFailure(error);
      return undefined;
    }
  }

  #close(input: CommandInput, commandEnded: boolean): void {
    const closing = input
      .close({ commandEnded })
      .catch(this.#options.onFailure)
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** Takes over the feeder of a command that runs; others are ended. */
  #adopt(file: string): void {
    const target = this.#targetOfBundle(dirname(file));
    if (target && this.find(target)) return this.conclude(target);
    this.#feeders.get(file)?.end();
    this.#feeders.delete(file);
  }

  #targetOfBundle(bundle: string): SessionTarget | undefined {
    const { parts } = this.#options;
    if (dirname(bundle) === parts.paths.bundles) {
      const containerId = containerIdSchema.parse(basename(bundle));
      const run = parts.store.find(containerId)?.snapshot.run;
      return run === undefined ? undefined : targetOf(parts, { containerId, run, spec: {} });
    }
    const execId = execIdSchema.parse(basename(bundle));
    const session = parts.execs.find(execId)?.session;
    return session && targetOf(parts, { ...session, spec: { execId } });
  }
}
