import { describe, expect, test } from "vitest";

import { type Destination, parsePlace, targetOf } from "./paths.ts";

const directory: Destination = { path: "/link", found: "directory", resolved: "/data" };
const file: Destination = { path: "/link", found: "file", resolved: "/data/file" };
const nothing: Destination = { path: "/data/new", found: undefined, resolved: "/data/new" };

test.each([
  ["a file into a directory", "file", "f", directory, "/data", "f"],
  ["a file over a file", "file", "f", file, "/data", "file"],
  ["a file to a new name", "file", "f", nothing, "/data", "new"],
  ["a directory into a directory", "directory", "d", directory, "/data", "d"],
  ["a directory to a new name", "directory", "d", nothing, "/data", "new"],
  ["contents into a directory", "directory", ".", directory, "/data", "."],
  ["contents to a new name", "directory", ".", nothing, "/data", "new"],
  ["a directory to a new name with a slash", "directory", "d", slash("/data/new/"), "/data", "new"],
  ["a directory to a new name below the root", "directory", "d", slash("/new"), "/", "new"],
] as const)("%s", (_name, kind, name, destination, expectedDirectory, expectedName) => {
  expect(targetOf({ kind, name }, destination)).toEqual({
    directory: expectedDirectory,
    name: expectedName,
  });
});

function slash(path: string): Destination {
  return { path, found: undefined, resolved: path };
}

describe("refused", () => {
  test.each([
    ["a directory over a file", "directory", file],
    ["a file to a new name with a slash", "file", slash("/data/new/")],
  ] as const)("%s", (_name, kind, destination) => {
    expect(() => targetOf({ kind, name: "x" }, destination)).toThrow("Cannot copy to");
  });
});

test.each([
  ["-", { type: "stream" }],
  ["./a:b", { type: "local", path: "./a:b" }],
  ["/a:b", { type: "local", path: "/a:b" }],
  ["file", { type: "local", path: "file" }],
  ["web:/etc/.", { type: "container", container: "web", path: "/etc/." }],
  ["web:etc", { type: "container", container: "web", path: "/etc" }],
  ["web:", { type: "container", container: "web", path: "/" }],
])("%s", (text, place) => {
  expect(parsePlace(text)).toEqual(place);
});
