import { type ContainerId, containerIdSchema } from "@podfleet/model/ids";
import { describe, expect, test } from "vitest";

import { startOrder } from "./dependency.ts";

function id(letter: string): ContainerId {
  return containerIdSchema.parse(letter.repeat(64));
}

function order(graph: Readonly<Record<string, string>>, start: string): string {
  const dependenciesOf = (of: ContainerId) => Array.from(graph[of.charAt(0)] ?? "", id);
  return startOrder(id(start), dependenciesOf)
    .map((one) => one.charAt(0))
    .join("");
}

describe("startOrder", () => {
  test.each([
    ["none", {}, "a"],
    ["a chain", { a: "b", b: "c" }, "cba"],
    ["two of one container", { a: "bc" }, "bca"],
    ["a diamond", { a: "bc", b: "d", c: "d" }, "dbca"],
    ["one twice", { a: "bb" }, "ba"],
    ["a circle elsewhere", { a: "b", e: "f", f: "e" }, "ba"],
  ])("%s", (_name, graph, expected) => {
    expect(order(graph, "a")).toBe(expected);
  });

  test.each([
    ["itself", { a: "a" }, `"${id("a")}" → "${id("a")}"`],
    ["two", { a: "b", b: "a" }, `"${id("a")}" → "${id("b")}" → "${id("a")}"`],
    ["below the start", { a: "b", b: "c", c: "b" }, `"${id("b")}" → "${id("c")}" → "${id("b")}"`],
  ])("S7: refuses a circle: %s", (_name, graph, circle) => {
    expect(() => order(graph, "a")).toThrow(circle);
  });
});
