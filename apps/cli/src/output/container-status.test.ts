import { containerSummarySchema } from "@podfleet/model/container/record";
import { newContainerId, newHostId } from "@podfleet/model/ids";
import { expect, test } from "vitest";

import { containerStatus } from "./container-status.ts";

const nowMs = Date.parse("2026-11-23T12:00:00Z");
const host = { id: newHostId(), name: "host-1", state: "ready" };

function statusOf(fields: object): string {
  const container = containerSummarySchema.parse({
    id: newContainerId(),
    name: "web",
    image: "busybox",
    command: [],
    labels: {},
    host,
    createdAt: "2026-11-23T11:00:00Z",
    ...fields,
  });
  return containerStatus(container, nowMs);
}

const running = { state: "running", startedAt: "2026-11-23T11:57:00Z" };

test.each([
  [{ state: "configured" }, "Created"],
  [{ state: "created" }, "Initialized"],
  [running, "Up 3 minutes"],
  [{ ...running, health: "healthy" }, "Up 3 minutes (healthy)"],
  [{ state: "paused" }, "Paused"],
  [
    { state: "exited", exitCode: 0, finishedAt: "2026-11-23T11:59:58Z" },
    "Exited (0) 2 seconds ago",
  ],
  [
    { state: "stopped", exitCode: 137, finishedAt: "2026-11-23T11:59:00Z" },
    "Exited (137) About a minute ago",
  ],
  [
    { state: "exited", exitUnknown: true, finishedAt: "2026-11-23T11:00:00Z" },
    "Exited (?) About an hour ago",
  ],
  [{ state: "removing" }, "Removing"],
  [{ state: "unknown" }, "Unknown"],
  [
    {
      ...running,
      host: { ...host, state: "unreachable" },
      observedAt: "2026-11-23T11:59:48Z",
    },
    "Up 3 minutes (host unreachable, seen 12s ago)",
  ],
  [{ state: "unknown", host: { ...host, state: "unreachable" } }, "Unknown (host unreachable)"],
])("%j is %s", (fields, text) => {
  expect(statusOf(fields)).toBe(text);
});
