/**
 * A container's states and what may happen in each.
 *
 *                   init             start              pause
 *     configured ─────────▶ created ─────────▶ running ◀──────▶ paused
 *         ▲                    │                  │    unpause
 *         │ refresh            │ stop             │ the process ends
 *         │                    ▼                  ▼
 *         └───────────────  stopped ──cleanup─▶ exited ─────▶ removing
 *                              │                  │
 *                              └──init, start─────┘
 *
 * A checkpoint takes a running container to exited, and `restore` one with a checkpoint from configured or exited to running.
 *
 * configured  the record and its storage exist; the OCI runtime does not know the container
 * created     the OCI runtime holds it; its process waits to run the command
 * running     the command runs
 * paused      the command is frozen by the kernel
 * stopped     the process has ended; the runtime's and the mounts' remains are not yet cleaned up
 * exited      the process has ended and everything but the storage is cleaned up
 * removing    removal has begun and only goes forward
 * unknown     the record exists, and what it is at could not be read
 */
import { z } from "zod";

import { type ErrorCode, PodfleetError } from "../errors.ts";
import type { EventType } from "../event.ts";

export const containerStates = [
  "configured",
  "created",
  "running",
  "paused",
  "stopped",
  "exited",
  "removing",
  "unknown",
] as const;
export const containerStateSchema = z.enum(containerStates);
export type ContainerState = (typeof containerStates)[number];

interface Capability {
  readonly states: readonly ContainerState[];
  /** State after success; absent where the method leaves it as it was. */
  readonly result?: ContainerState;
  /** What the refusal in another state is, or in which of them it is what; STATE_INVALID when absent. */
  readonly refusal?: ErrorCode | Readonly<Partial<Record<ContainerState, ErrorCode>>>;
  /** What it may fail with beside its refusal and what any method may (see docs/container-methods.md). */
  readonly errors: readonly ErrorCode[];
  /** The event of its success; absent for a method that only reads. */
  readonly event?: EventType;
}

const anyState = containerStates;
const notRemoving = containerStates.filter((state) => state !== "removing");

/** What a method may fail with that has a container's process created. */
const creation = [
  "DEPENDENCY_NOT_RUNNING",
  "INVALID_INPUT",
  "COMMAND_NOT_FOUND",
  "COMMAND_NOT_EXECUTABLE",
  "STORAGE_FAILED",
] as const;

/** What opening a session may fail with; `attach` is of the run under way, `attachNext` of the one that the next start begins. */
const sessionErrors = ["SESSION_IN_USE", "SESSION_ENDED", "FORBIDDEN", "INVALID_INPUT"] as const;

/** The one table of which method is allowed in which state; guards, API errors, disabled buttons and the docs read it. */
export const containerCan = {
  init: {
    states: ["configured", "stopped", "exited"],
    result: "created",
    errors: creation,
    event: "container.init",
  },
  start: {
    states: ["configured", "created", "stopped", "exited"],
    result: "running",
    errors: [...creation, "DEPENDENCY_CYCLE"],
    event: "container.start",
  },
  restart: {
    states: ["configured", "created", "running", "stopped", "exited"],
    result: "running",
    errors: creation,
    event: "container.start",
  },
  stop: {
    states: ["created", "running"],
    result: "exited",
    refusal: { stopped: "ALREADY_STOPPED", exited: "ALREADY_STOPPED" },
    errors: [],
    event: "container.stop",
  },
  kill: { states: ["running"], errors: ["INTERRUPTED"], event: "container.kill" },
  pause: {
    states: ["running"],
    result: "paused",
    refusal: { paused: "ALREADY_PAUSED" },
    errors: [],
    event: "container.pause",
  },
  unpause: {
    states: ["paused"],
    result: "running",
    refusal: "NOT_PAUSED",
    errors: [],
    event: "container.unpause",
  },
  exec: {
    states: ["running"],
    refusal: "CANNOT_INVOKE",
    errors: ["COMMAND_NOT_FOUND", "COMMAND_NOT_EXECUTABLE", "INVALID_INPUT", "INTERRUPTED"],
    event: "exec.start",
  },
  attach: {
    states: ["created", "running"],
    errors: sessionErrors,
    event: "container.attach",
  },
  attachNext: {
    states: ["configured", "created", "stopped", "exited"],
    errors: sessionErrors,
    event: "container.attach",
  },
  resize: { states: ["created", "running"], errors: [] },
  cleanup: {
    states: ["configured", "created", "stopped", "exited"],
    errors: ["EXEC_IN_USE", "STORAGE_FAILED"],
    event: "container.cleanup",
  },
  remove: {
    states: ["configured", "created", "stopped", "exited", "removing", "unknown"],
    errors: ["DEPENDENCY_IN_USE", "STORAGE_FAILED"],
    event: "container.remove",
  },
  forceRemove: {
    states: anyState,
    errors: ["DEPENDENCY_IN_USE", "STORAGE_FAILED"],
    event: "container.remove",
  },
  inspect: { states: anyState, errors: [] },
  logs: { states: anyState, errors: [] },
  wait: { states: anyState, errors: [] },
  sync: { states: notRemoving, errors: [], event: "container.sync" },
  refresh: { states: notRemoving, errors: creation, event: "container.refresh" },
  rename: { states: notRemoving, errors: ["NAME_IN_USE"], event: "container.rename" },
  update: {
    states: notRemoving,
    errors: ["INVALID_INPUT", "NO_HOST_FITS"],
    event: "container.update",
  },
  healthcheck: {
    states: ["running"],
    errors: ["INVALID_INPUT"],
    event: "container.health_status",
  },
  batch: { states: notRemoving, errors: ["COMMAND_FAILED"], event: "operation.finished" },
  checkpoint: {
    states: ["running"],
    result: "exited",
    errors: ["UNSUPPORTED", "CHECKPOINT_FAILED"],
    event: "container.checkpoint",
  },
  restore: {
    states: ["configured", "stopped", "exited"],
    result: "running",
    errors: ["UNSUPPORTED", "CHECKPOINT_NOT_FOUND", "CHECKPOINT_FAILED"],
    event: "container.restore",
  },
  mount: { states: notRemoving, errors: ["STORAGE_FAILED"], event: "container.mount" },
  unmount: {
    states: notRemoving,
    errors: ["NOT_MOUNTED", "STORAGE_FAILED"],
    event: "container.unmount",
  },
  export: { states: notRemoving, errors: ["STORAGE_FAILED"], event: "container.export" },
  copyFrom: { states: notRemoving, errors: ["PATH_NOT_FOUND", "STORAGE_FAILED"] },
  copyTo: {
    states: notRemoving,
    errors: ["PATH_NOT_FOUND", "INVALID_INPUT", "STORAGE_FAILED"],
    event: "container.copy",
  },
  diff: { states: notRemoving, errors: ["STORAGE_FAILED"] },
  top: { states: ["running"], errors: [] },
  stats: { states: ["running", "paused"], errors: [] },
  addArtifact: {
    states: notRemoving,
    errors: ["INVALID_INPUT", "STORAGE_FAILED"],
    event: "artifact.add",
  },
  removeArtifact: {
    states: notRemoving,
    errors: ["ARTIFACT_NOT_FOUND", "STORAGE_FAILED"],
    event: "artifact.remove",
  },
  readArtifacts: { states: notRemoving, errors: ["ARTIFACT_NOT_FOUND"] },
} as const satisfies Record<string, Capability>;

export type ContainerMethod = keyof typeof containerCan;

export function isAllowed(method: ContainerMethod, state: ContainerState): boolean {
  return (containerCan[method].states as readonly ContainerState[]).includes(state);
}

const verbs: Readonly<Record<ContainerMethod, string>> = {
  init: "initialize",
  start: "start",
  restart: "restart",
  stop: "stop",
  kill: "kill",
  pause: "pause",
  unpause: "unpause",
  exec: "invoke a command in",
  attach: "attach to",
  attachNext: "attach to the next run of",
  resize: "resize the terminal of",
  cleanup: "clean up",
  remove: "remove",
  forceRemove: "remove",
  inspect: "inspect",
  logs: "read the logs of",
  wait: "wait for",
  sync: "sync",
  refresh: "refresh",
  rename: "rename",
  update: "update",
  healthcheck: "check the health of",
  batch: "carry out steps on",
  checkpoint: "checkpoint",
  restore: "restore",
  mount: "mount",
  unmount: "unmount",
  export: "export",
  copyFrom: "copy from",
  copyTo: "copy to",
  diff: "find the changes of",
  top: "list the processes of",
  stats: "measure",
  addArtifact: "add an artifact to",
  removeArtifact: "remove an artifact of",
  readArtifacts: "read the artifacts of",
};

/** @throws PodfleetError STATE_INVALID, or the method's own refusal, that names the container, its state and the states that would be right */
export function assertAllowed(
  method: ContainerMethod,
  container: { readonly name: string; readonly state: ContainerState },
): void {
  if (isAllowed(method, container.state)) return;
  const { states }: Capability = containerCan[method];
  const allowed = states.map((state) => `"${state}"`).join(", ");
  throw new PodfleetError(
    refusalOf(method, container.state),
    `Cannot ${verbs[method]} container "${container.name}": state is "${container.state}", must be one of ${allowed}`,
    { details: { container: container.name, state: container.state, allowed: [...states] } },
  );
}

/** The code of the error in a state that the method does not accept. */
export function refusalOf(method: ContainerMethod, state: ContainerState): ErrorCode {
  const { refusal }: Capability = containerCan[method];
  return (typeof refusal === "object" ? refusal[state] : refusal) ?? "STATE_INVALID";
}

const transitions: Readonly<Record<ContainerState, readonly ContainerState[]>> = {
  configured: ["created", "running", "removing"],
  created: ["running", "stopped", "exited", "configured", "removing"],
  running: ["paused", "stopped", "exited", "removing", "unknown"],
  paused: ["running", "stopped", "exited", "removing", "unknown"],
  stopped: ["created", "exited", "configured", "removing"],
  exited: ["created", "running", "configured", "removing"],
  removing: [],
  unknown: ["created", "running", "paused", "stopped", "exited", "configured", "removing"],
};

export function isTransition(from: ContainerState, to: ContainerState): boolean {
  return transitions[from].includes(to);
}
