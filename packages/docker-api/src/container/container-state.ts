/** A container's state and status as Docker names them. */
import { humanAge, humanDuration } from "@podfleet/base/human-duration";
import type { ContainerSummary } from "@podfleet/model/container/record";

/** Docker's states, and `unknown` for a state that could not be read. */
export const dockerStates = [
  "created",
  "running",
  "paused",
  "restarting",
  "removing",
  "exited",
  "dead",
  "unknown",
] as const;
export type DockerState = (typeof dockerStates)[number];

type Observed = Pick<ContainerSummary, "state" | "restartAt">;

export function dockerState({ state, restartAt }: Observed): DockerState {
  switch (state) {
    case "configured":
    case "created":
      return "created";
    case "stopped":
    case "exited":
      return restartAt === undefined ? "exited" : "restarting";
    case "running":
    case "paused":
    case "removing":
    case "unknown":
      return state;
  }
}

/** The status as `docker ps` shows it, with a note when the host is unreachable. */
export function dockerStatus(container: ContainerSummary, nowMs: number): string {
  const status = statusWords(container, nowMs);
  return container.host.state === "ready" ? status : `${status} (host unreachable)`;
}

function statusWords(container: ContainerSummary, nowMs: number): string {
  const state = dockerState(container);
  switch (state) {
    case "created":
      return "Created";
    case "running":
      return `Up${since(container, nowMs)}${healthNote(container)}`;
    case "paused":
      return `Up${since(container, nowMs)} (Paused)`;
    case "restarting":
      return `Restarting ${ended(container, nowMs)}`;
    case "exited":
      return `Exited ${ended(container, nowMs)}`;
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
    case "unknown":
      return "Unknown";
  }
}

function since({ startedAt }: ContainerSummary, nowMs: number): string {
  return startedAt ? ` ${humanDuration(Math.max(0, nowMs - Date.parse(startedAt)))}` : "";
}

function healthNote({ health }: ContainerSummary): string {
  if (!health) return "";
  return health === "starting" ? " (health: starting)" : ` (${health})`;
}

function ended(container: ContainerSummary, nowMs: number): string {
  const code = container.exitUnknown ? "?" : (container.exitCode ?? 0);
  return `(${code})${container.finishedAt ? ` ${humanAge(container.finishedAt, nowMs)}` : ""}`;
}
