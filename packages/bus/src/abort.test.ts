import { expect, test } from "vitest";

import { raceAborts } from "./abort.ts";

const never = new Promise<string>(() => undefined);

test("the promise wins when nothing is aborted", async () => {
  const { signal } = new AbortController();
  const makeError = (): Error => new Error("unused");
  expect(await raceAborts(Promise.resolve("done"), [{ signal, makeError }])).toBe("done");
});

test("the first cause to be aborted names the error", async () => {
  const early = new AbortController();
  const late = new AbortController();
  const racing = raceAborts(never, [
    { signal: late.signal, makeError: () => new Error("late") },
    { signal: early.signal, makeError: () => new Error("early") },
  ]);
  early.abort();
  late.abort();
  await expect(racing).rejects.toThrow("early");
});

test("a cause that is aborted already loses no time", async () => {
  const signal = AbortSignal.abort();
  const racing = raceAborts(never, [{ signal, makeError: () => new Error("aborted") }]);
  await expect(racing).rejects.toThrow("aborted");
});
