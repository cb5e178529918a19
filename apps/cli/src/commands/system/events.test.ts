import { expect, test } from "vitest";

import { eventFilters } from "./events.ts";

test.each([
  [[], {}],
  [["container=web", "host=host-1"], { container: "web", host: "host-1" }],
  [["event=cleanup"], { types: ["container.cleanup"] }],
  [["event=cleanup", "event=container.start"], { types: ["container.start", "container.cleanup"] }],
  [["type=image"], { types: ["image.load"] }],
  [["type=container", "event=create"], { types: ["container.create"] }],
])("%j", (entries, filters) => {
  expect(eventFilters(entries)).toEqual(filters);
});

test.each([
  [["web"], 'must be "KEY=VALUE"'],
  [["pod=x"], "KEY must be one of container, host, type, event"],
  [["container=a", "container=b"], '"container" may be given once'],
  [["type=image", "event=cleanup"], "no event fits"],
])("%j is refused", (entries, reason) => {
  expect(() => eventFilters(entries)).toThrow(reason);
});
