/**
 * A container's states, and which may follow which.
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
