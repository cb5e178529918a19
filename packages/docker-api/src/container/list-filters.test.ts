import type { ContainerSummary } from "@podfleet/model/container/record";
import { containerSnapshotSchema } from "@podfleet/model/container/snapshot";
import { newContainerId, newHostId } from "@podfleet/model/ids";
import { expect, test } from "vitest";

import { filterContainers, parseFilters } from "./list-filters.ts";

const image = { image: "busybox", imageId: `sha256:${"ab".repeat(32)}` };
const { imageId } = containerSnapshotSchema.pick({ imageId: true }).parse(image);

function container(name: string, more: Partial<ContainerSummary> = {}): ContainerSummary {
  return {
    id: newContainerId(),
    name,
    image: "busybox",
    imageId,
    command: ["true"],
    labels: {},
    host: { id: newHostId(), name: "host-1", state: "ready" },
    state: "running",
    createdAt: "2026-01-01T00:00:00.000Z",
    ...more,
  };
}

const containers = [
  container("web-2", { labels: { tier: "web", zone: "a" }, health: "healthy" }),
  container("web-1", { labels: { tier: "web", zone: "b" }, state: "paused" }),
  container("job.1", { state: "exited", exitCode: 3, image: "docker.io/library/tools:1" }),
  container("idle", {
    state: "configured",
    host: { id: newHostId(), name: "host-2", state: "ready" },
  }),
];

function names(filters: object): string[] {
  return filterContainers(containers, parseFilters(JSON.stringify(filters))).map(
    ({ name }) => name,
  );
}

test.each<[string, object, string[]]>([
  ["none", {}, ["web-2", "web-1", "job.1", "idle"]],
  ["a part of the name", { name: ["web"] }, ["web-2", "web-1"]],
  ["a whole name, as a pattern", { name: ["^/web-1$"] }, ["web-1"]],
  ["a dot stands for itself", { name: ["job.1", "i.le"] }, ["job.1"]],
  ["states", { status: ["created", "exited"] }, ["job.1", "idle"]],
  ["Docker's newer form", { status: { paused: true, running: false } }, ["web-1"]],
  ["labels, all of them", { label: ["tier=web", "zone"] }, ["web-2", "web-1"]],
  ["a label's value", { label: ["zone=b"] }, ["web-1"]],
  ["health", { health: ["healthy"] }, ["web-2"]],
  ["an exit code", { exited: ["3"] }, ["job.1"]],
  ["another exit code", { exited: ["0"] }, []],
  ["an image", { ancestor: ["tools:1"] }, ["job.1"]],
  ["made before", { before: ["web-1"] }, ["job.1", "idle"]],
  ["made since", { since: ["job.1"] }, ["web-2", "web-1"]],
  ["a host", { host: ["host-2"] }, ["idle"]],
])("%s", (_what, filters, expected) => {
  expect(names(filters)).toEqual(expected);
});

test.each([
  ["{", "filters is not JSON"],
  ["[]", "filters is [], must be an object"],
  ['{"status":["up"]}', 'filters.status[0] is "up", must be one of "created"'],
  ['{"volume":["x"]}', "filters.volume is not a field that is known here"],
  ['{"name":["(a+)+$"]}', 'filters.name[0] is "(a+)+$", must be a part of a name'],
  ['{"before":["nobody"]}', 'Cannot find container "nobody", which filters.before names'],
])("%s is refused by name", (text, message) => {
  expect(() => filterContainers(containers, parseFilters(text))).toThrow(message);
});
