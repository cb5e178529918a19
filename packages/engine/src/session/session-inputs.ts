/**
 * The standard inputs of running commands, and the sessions that write to them. A command's input ends when a session has ended its input
 * and no other session may still write. The input of a terminal does not end.
 */
import { basename, dirname, join } from "node:path";

import type { Clock } from "@podfleet/base/clock";
import { CommandInput, inputFile } from "@podfleet/journal/input/command-input";
import {
  findForwarders,
  type ForwarderCgroup,
  type InputForwarder,
} from "@podfleet/journal/input/input-forwarder";
import { containerIdSchema, execIdSchema, type SessionId } from "@podfleet/model/ids";
import type { Session } from "@podfleet/model/session";

import type { EnginePaths } from "../host/engine-paths.ts";
import type { SessionStore } from "../state/session-store.ts";
import { type SessionTarget, type SessionTargetSources, targetOf } from "./session-target.ts";

export interface SessionInputsParts extends SessionTargetSources {
  readonly clock: Clock;
  readonly paths: SessionTargetSources["paths"] & Pick<EnginePaths, "bundles" | "execBundles">;
  readonly sessions: Pick<SessionStore, "find" | "list">;
  /** The cgroup that forwarders run in. */
  readonly monitorCgroup: ForwarderCgroup;
  /** Called when more can be written to the command of the target with this key. */
  readonly onRoom: (key: string) => void;
  readonly onFailure: (error: unknown) => void;
}

export class SessionInputs {
  readonly #parts: SessionInputsParts;
  /** Inputs of running commands, by the keys of their targets; undefined for an input that could not be opened. */
  readonly #inputs = new Map<string, CommandInput | undefined>();
  /** Forwarders that an earlier engine has left, by their input files. */
  readonly #forwarders: Map<string, InputForwarder>;
  readonly #closing = new Set<Promise<void>>();

  constructor(parts: SessionInputsParts) {
    const { paths } = parts;
    this.#parts = parts;
    this.#forwarders = findForwarders([paths.bundles, paths.execBundles]);
    for (const file of this.#forwarders.keys()) this.#adopt(file);
  }

  /** Returns the input of a command; undefined unless the command runs and has one. */
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

  /** Ends the command's input when a session has ended its own and no other session may still write. */
  endIfDone(target: SessionTarget): void {
    const input = target.tty ? undefined : this.#inputs.get(target.key);
    if (!input || input.ended.length === 0) return;
    const ended = new Set<SessionId>(input.ended);
    if (this.writers(target).every(({ id }) => ended.has(id))) input.finish();
  }

  /** Lists the sessions that have not ended and may write to the command. */
  writers(target: SessionTarget): Session[] {
    return this.#parts.sessions
      .list()
      .map(({ session }) => session)
      .filter(({ end, spec }) => end === undefined && spec.input !== "none")
      .filter((session) => targetOf(this.#parts, session).key === target.key);
  }

  /** Closes the inputs; the forwarders outlive the engine. */
  async close(): Promise<void> {
    for (const input of this.#inputs.values()) if (input) this.#close(input, false);
    this.#inputs.clear();
    await Promise.all(this.#closing);
  }

  #open(target: SessionTarget): CommandInput | undefined {
    const { clock, monitorCgroup, sessions, onRoom, onFailure } = this.#parts;
    const file = join(target.bundle, inputFile);
    const forwarder = this.#forwarders.get(file);
    this.#forwarders.delete(file);
    try {
      return new CommandInput({
        bundle: target.bundle,
        clock,
        cgroup: monitorCgroup,
        forwarder,
        isKept: (id) => sessions.find(id) !== undefined,
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
      .catch(this.#parts.onFailure)
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** Takes over the forwarder of a running command, or ends that of another one. */
  #adopt(file: string): void {
    const target = this.#targetOfBundle(dirname(file));
    if (target && this.find(target)) return this.endIfDone(target);
    this.#forwarders.get(file)?.end();
    this.#forwarders.delete(file);
  }

  #targetOfBundle(bundle: string): SessionTarget | undefined {
    const { execs, paths, store } = this.#parts;
    if (dirname(bundle) === paths.bundles) {
      const containerId = containerIdSchema.parse(basename(bundle));
      const run = store.find(containerId)?.snapshot.run;
      return run === undefined ? undefined : targetOf(this.#parts, { containerId, run, spec: {} });
    }
    const execId = execIdSchema.parse(basename(bundle));
    const session = execs.find(execId)?.session;
    return session && targetOf(this.#parts, { ...session, spec: { execId } });
  }
}
