import { hasCode } from "@podfleet/model/errors";
import { expect, test } from "vitest";

import type { ResolvedUser } from "../spec/resolved-user.ts";
import { findUser, parseGroup, parsePasswd } from "./user.ts";

const users = parsePasswd([
  "root:x:0:0:root:/root:/bin/sh",
  "app:x:1000:1000:app:/home/app:/bin/sh",
  "1234:x:77:77:a name of digits:/seven:/bin/sh",
  "broken:x:many",
  "",
]);
const groups = parseGroup([
  "root:x:0:",
  "app:x:1000:",
  "staff:x:50:app,other",
  "video:x:44:app",
  "broken:x:",
]);

test.each<[string, string | undefined, Partial<ResolvedUser>]>([
  ["nobody named", undefined, { uid: 0, gid: 0, additionalGids: [], home: "/root" }],
  ["a name", "app", { uid: 1000, gid: 1000, additionalGids: [44, 50], home: "/home/app" }],
  ["a number with an entry", "1000", { uid: 1000, gid: 1000, home: "/home/app" }],
  ["a number without an entry", "4711", { uid: 4711, gid: 0, additionalGids: [], home: "/" }],
  ["a name of digits goes before the number", "1234", { uid: 77, gid: 77, home: "/seven" }],
  ["name and group", "app:staff", { uid: 1000, gid: 50, additionalGids: [] }],
  ["numbers", "1:2", { uid: 1, gid: 2, additionalGids: [] }],
])("%s", (_name, user, expected) => {
  expect(findUser(users, groups, { user, groups: [] })).toMatchObject(expected);
});

test("supplementary groups are added to the user's own", () => {
  const resolved = findUser(users, groups, { user: "app", groups: ["root", "9999", "staff"] });
  expect(resolved.additionalGids).toEqual([0, 44, 50, 9999]);
});

test.each([
  [{ user: "bob", groups: [] }, 'Unknown user "bob"'],
  [{ user: "app:crew", groups: [] }, 'Unknown group "crew"'],
  [{ user: "app", groups: ["crew"] }, 'Unknown group "crew"'],
  [{ user: "4294967295", groups: [] }, 'Unknown user "4294967295"'],
])("%o is refused", (request, message) => {
  const attempt = (): unknown => findUser(users, groups, request);
  expect(attempt).toThrow(message);
  expect(attempt).toThrow(expect.toSatisfy((error) => hasCode(error, "INVALID_INPUT")));
});
