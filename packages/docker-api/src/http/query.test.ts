import { expect, test } from "vitest";
import { z } from "zod";

import { integerSchema, momentSchema, readQuery, switchSchema } from "./query.ts";

const query = z.object({
  all: switchSchema,
  t: integerSchema.optional(),
  since: momentSchema.optional(),
});

test.each([
  ["1", true],
  ["true", true],
  ["True", true],
  ["", false],
  ["0", false],
  ["none", false],
])("the switch %j is %s", (all, isOn) => {
  expect(readQuery(query, { all })).toEqual({ all: isOn });
});

test.each([
  ["1700000000", "2023-11-14T22:13:20.000000000Z"],
  ["1700000000.000000001", "2023-11-14T22:13:20.000000001Z"],
  ["1700000000.5", "2023-11-14T22:13:20.500000000Z"],
  ["2023-11-14T22:13:20.5+01:00", "2023-11-14T22:13:20.5+01:00"],
  ["0", undefined],
  ["", undefined],
])("the moment %j is %s", (since, moment) => {
  expect(readQuery(query, { all: "1", since }).since).toBe(moment);
});

test("of a name that is given twice the first counts", () => {
  expect(readQuery(query, { all: ["0", "1"] })).toEqual({ all: false });
});

test.each([
  [{ all: "maybe" }, 'all is "maybe", must be "true" or "false"'],
  [{ all: "1", t: "soon" }, 't is "soon", must be an integer'],
  [{ all: "1", since: "yesterday" }, 'since is "yesterday", must be seconds since 1970'],
])("%j is refused by name", (given, message) => {
  expect(() => readQuery(query, given)).toThrow(message);
});
