import { expect, test } from "vitest";

import { attemptAll } from "./attempt-all.ts";

test("does every item though some fail, and throws what failed", async () => {
  const done: number[] = [];
  const attempt = attemptAll([1, 2, 3, 4], async (item) => {
    if (item % 2 === 1) throw new Error(`item ${item}`);
    done.push(item);
  });
  await expect(attempt).rejects.toThrow("2 of 4 failed, the first with: item 1");
  expect(done).toEqual([2, 4]);
});

test("throws the failure itself when there is one", async () => {
  const failure = new Error("alone");
  const attempt = attemptAll([1, 2], (item) => {
    if (item === 1) throw failure;
  });
  await expect(attempt).rejects.toBe(failure);
});

test("resolves when nothing fails", async () => {
  await expect(attemptAll([1, 2], () => undefined)).resolves.toBeUndefined();
});
