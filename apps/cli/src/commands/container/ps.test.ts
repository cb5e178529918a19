import { expect, test } from "vitest";

import { filtersOf } from "./ps.ts";

test("values of one key are alternatives; keys are podman's", () => {
  expect(
    filtersOf(["name=web", "name=job", "label=tier=web", "status=exited", "id=0ab", "host=host-1"]),
  ).toEqual({
    name: ["web", "job"],
    label: ["tier=web"],
    state: ["exited"],
    id: ["0ab"],
    host: ["host-1"],
  });
});

test.each([
  ["web", 'must be "KEY=VALUE"'],
  ["pod=x", "KEY must be one of id, name, label, status, host"],
  ["status=asleep", '"running"'],
])("%s is refused", (entry, reason) => {
  expect(() => filtersOf([entry])).toThrow(reason);
});
