/** What one container does when it is told to, as a pure model: a few lines that the engine is compared with. */
import type { ActionWithoutContainer } from "@podfleet/model/action";
import { type ContainerState } from "@podfleet/model/container/state";
import type { ErrorCode } from "@podfleet/model/errors";
import { execSpecSchema } from "@podfleet/model/exec";
import { execIdSchema, newContainerId } from "@podfleet/model/ids";
import {
  containerCan,
  type ContainerMethod,
  isAllowed,
  refusalOf,
} from "@podfleet/model/verb/container-methods";

export interface Modelled {
  readonly state: ContainerState | "gone";
  /** Starts so far; 0 when it is gone. */
  readonly run: number;
}

export const created: Modelled = { state: "configured", run: 0 };
export const gone: Modelled = { state: "gone", run: 0 };

/** Commands whose effect is there when they return. */
export const verbs = [
  "init",
  "start",
  "restart",
  "stop",
  "signal",
  "pause",
  "unpause",
  "exec",
  "cleanup",
  "refresh",
  "sync",
  "rename",
  "update",
  "remove",
] as const;
export type Verb = (typeof verbs)[number];
/**
 * `signal`  one that the process survives
 * `kill`    SIGKILL, and what follows from it
 * `end`     the process ends by itself, if it runs
 */
export type Command = Verb | "kill" | "end";

export interface Reaction {
  /** Undefined for success. */
  readonly code: ErrorCode | undefined;
  readonly after: Modelled;
}

/** `ran`: it had a process when the command was given, which may have been before its turn came. */
export function react(before: Modelled, command: Command, ran = hasProcess(before)): Reaction {
  const { state } = before;
  if (state === "gone") {
    return { code: command === "end" ? undefined : "CONTAINER_NOT_FOUND", after: before };
  }
  if (command === "end") {
    return {
      code: undefined,
      after: state === "running" ? { ...before, state: "exited" } : before,
    };
  }
  // The later of two stops at once finds it stopped and succeeds.
  if (command === "stop" && ran && (state === "exited" || state === "stopped")) {
    return { code: undefined, after: before };
  }
  const method = methodOf(command);
  if (!isAllowed(method, state)) return { code: refusalOf(method, state), after: before };
  return { code: undefined, after: afterSuccess(before, command) };
}

function methodOf(command: Exclude<Command, "end">): ContainerMethod {
  if (command === "signal") return "kill";
  return command === "exec" ? "exec.start" : command;
}

function afterSuccess({ state, run }: Modelled, command: Command): Modelled {
  switch (command) {
    case "start":
    case "restart":
      return { state: "running", run: run + 1 };
    case "kill":
      return { state: "exited", run };
    case "remove":
      return gone;
    case "cleanup":
      return {
        state: state === "created" ? (run > 0 ? "exited" : "configured") : afterEnd(state),
        run,
      };
    case "refresh":
      if (state === "running" || state === "paused") return { state, run: run + 1 };
      return { state: state === "created" ? state : "configured", run };
    case "init":
    case "stop":
    case "pause":
    case "unpause":
      return { state: containerCan[command].result, run };
    default:
      return { state: state as ContainerState, run };
  }
}

function afterEnd(state: Modelled["state"]): Modelled["state"] {
  return state === "stopped" ? "exited" : state;
}

function hasProcess({ state }: Modelled): boolean {
  return state === "created" || state === "running" || state === "paused";
}

/** What a host is asked for. `serial` makes a new name or limit of each. */
export function verbOf(command: Exclude<Command, "end">, serial: number): ActionWithoutContainer {
  switch (command) {
    case "start":
      return { verb: "container.start", recursive: false };
    case "kill":
      return { verb: "container.kill", signal: 9 };
    case "signal":
      return { verb: "container.kill", signal: 10 };
    case "exec":
      return {
        verb: "exec.start",
        execId: execIdSchema.parse(newContainerId()),
        spec: execSpecSchema.parse({ command: ["true"] }),
      };
    case "rename":
      return { verb: "container.rename", name: `renamed-${serial}` };
    case "update":
      return { verb: "container.update", resources: { pidsLimit: 100 + serial } };
    case "remove":
      return { verb: "container.remove", force: false, dependents: false };
    case "init":
    case "restart":
    case "stop":
    case "pause":
    case "unpause":
    case "cleanup":
    case "refresh":
    case "sync":
      return { verb: `container.${command}` };
  }
}
