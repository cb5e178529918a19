import type { ContainerSummary } from "@podfleet/model/container/record";
import { newContainerId, newHostId } from "@podfleet/model/ids";
import { expect, test } from "vitest";

import { dockerState, dockerStatus } from "./container-state.ts";

const nowMs = Date.parse("2026-01-01T00:10:00.000Z");

test.each<[Partial<ContainerSummary>, string, string]>([
  [{ state: "configured" }, "created", "Created"],
  [{ state: "created" }, "created", "Created"],
  [{ state: "running", startedAt: "2026-01-01T00:05:00.000Z" }, "running", "Up 5 minutes"],
  [
    { state: "running", startedAt: "2026-01-01T00:05:00.000Z", health: "starting" },
    "running",
    "Up 5 minutes (health: starting)",
  ],
  [{ state: "paused", startedAt: "2026-01-01T00:05:00.000Z" }, "paused", "Up 5 minutes (Paused)"],
  [
    { state: "exited", exitCode: 7, finishedAt: "2026-01-01T00:09:00.000Z" },
    "exited",
    "Exited (7) About a minute ago",
  ],
  [{ state: "stopped", exitUnknown: true }, "exited", "Exited (?)"],
  [
    { state: "exited", exitCode: 1, restartAt: "2026-01-01T00:11:00.000Z" },
    "restarting",
    "Restarting (1)",
  ],
  [{ state: "removing" }, "removing", "Removal In Progress"],
  [{ state: "unknown" }, "unknown", "Unknown"],
])("%j is %s, shown as %s", (observed, state, status) => {
  const container = summary(observed);
  expect(dockerState(container)).toBe(state);
  expect(dockerStatus(container, nowMs)).toBe(status);
});

test("a silent host is told of", () => {
  const host = { id: newHostId(), name: "host-1", state: "unreachable" } as const;
  expect(dockerStatus(summary({ state: "configured", host }), nowMs)).toBe(
    "Created (host unreachable)",
  );
});

function summary(observed: Partial<ContainerSummary>): ContainerSummary {
  return {
    id: newContainerId(),
    name: "web",
    image: "busybox",
    command: [],
    labels: {},
    host: { id: newHostId(), name: "host-1", state: "ready" },
    state: "unknown",
    createdAt: "2026-01-01T00:00:00.000Z",
    ...observed,
  };
}
