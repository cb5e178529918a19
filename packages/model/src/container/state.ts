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
  /** What the refusal in another state is; STATE_INVALID when absent. */
  readonly refusal?: ErrorCode;
}

const anyState = containerStates;
const notRemoving = containerStates.filter((state) => state !== "removing");

/** The one table of which method is allowed in which state; guards, API errors and disabled buttons read it. */
export const containerCan = {
  init: { states: ["configured", "stopped", "exited"], result: "created" },
  start: { states: ["configured", "created", "stopped", "exited"], result: "running" },
  stop: { states: ["created", "running"], result: "exited" },
  kill: { states: ["running"] },
  exec: { states: ["running"], refusal: "CANNOT_INVOKE" },
  remove: { states: ["configured", "created", "stopped", "exited", "removing", "unknown"] },
  forceRemove: { states: anyState },
  inspect: { states: anyState },
  logs: { states: anyState },
  wait: { states: anyState },
  sync: { states: notRemoving },
  checkpoint: { states: ["running"], result: "exited" },
  restore: { states: ["configured", "stopped", "exited"], result: "running" },
} as const satisfies Record<string, Capability>;

export type ContainerMethod = keyof typeof containerCan;

export function isAllowed(method: ContainerMethod, state: ContainerState): boolean {
  return (containerCan[method].states as readonly ContainerState[]).includes(state);
}

const verbs: Readonly<Record<ContainerMethod, string>> = {
  init: "initialize",
  start: "start",
  stop: "stop",
  kill: "kill",
  exec: "invoke a command in",
  remove: "remove",
  forceRemove: "remove",
  inspect: "inspect",
  logs: "read the logs of",
  wait: "wait for",
  sync: "sync",
  checkpoint: "checkpoint",
  restore: "restore",
};

/** @throws PodfleetError STATE_INVALID, or the method's own refusal, that names the container, its state and the states that would be right */
export function assertAllowed(
  method: ContainerMethod,
  container: { readonly name: string; readonly state: ContainerState },
): void {
  if (isAllowed(method, container.state)) return;
  const { states, refusal = "STATE_INVALID" }: Capability = containerCan[method];
  const allowed = states.map((state) => `"${state}"`).join(", ");
  throw new PodfleetError(
    refusal,
    `Cannot ${verbs[method]} container "${container.name}": state is "${container.state}", must be one of ${allowed}`,
    { details: { container: container.name, state: container.state, allowed: [...states] } },
  );
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
