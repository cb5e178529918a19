import { humanAge, humanDuration } from "@podfleet/base/human-duration";
import type { ContainerSummary } from "@podfleet/model/container/record";

import { shortAge } from "./quantity.ts";

/** The STATUS column of `podman ps`. When the host is unreachable, it tells how old the status is. */
export function containerStatus(container: ContainerSummary, nowMs: number): string {
  const status = statusWords(container, nowMs);
  if (container.host.state === "ready") return status;
  const seen = container.observedAt ? `, seen ${shortAge(container.observedAt, nowMs)} ago` : "";
  return `${status} (host unreachable${seen})`;
}

function statusWords(container: ContainerSummary, nowMs: number): string {
  switch (container.state) {
    case "configured":
      return "Created";
    case "created":
      return "Initialized";
    case "running": {
      const health = container.health ? ` (${container.health})` : "";
      return `Up${since(container.startedAt, nowMs)}${health}`;
    }
    case "paused":
      return "Paused";
    case "stopped":
    case "exited": {
      const code = container.exitUnknown ? "?" : (container.exitCode ?? 0);
      const ago = container.finishedAt ? ` ${humanAge(container.finishedAt, nowMs)}` : "";
      return `Exited (${code})${ago}`;
    }
    case "removing":
      return "Removing";
    case "unknown":
      return "Unknown";
  }
}

function since(startedAt: string | undefined, nowMs: number): string {
  return startedAt ? ` ${humanDuration(Math.max(0, nowMs - Date.parse(startedAt)))}` : "";
}
