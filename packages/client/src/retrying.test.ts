import type { Clock } from "@podfleet/base/clock";
import { PodfleetError } from "@podfleet/model/errors";
import type { OperationId } from "@podfleet/model/ids";
import { expect, test } from "vitest";

import { persist, retrying } from "./retrying.ts";

/** Time passes only while someone sleeps. */
class SleepClock implements Clock {
  #nowMs = 0;
  nowMs(): number {
    return this.#nowMs;
  }
  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#nowMs += durationMs;
  }
}

function unavailable(reason: string): PodfleetError {
  return new PodfleetError("UNAVAILABLE", "Cannot reach it", { details: { reason } });
}

test("every attempt carries the same operation id", async () => {
  const seen: OperationId[] = [];
  const result = await retrying(
    async (operationId) => {
      seen.push(operationId);
      if (seen.length < 4) throw unavailable(seen.length === 1 ? "ECONNREFUSED" : "ECONNRESET");
      return "done";
    },
    { clock: new SleepClock() },
  );
  expect(result).toBe("done");
  expect(seen).toHaveLength(4);
  expect(new Set(seen).size).toBe(1);
});

test("after an operation that never reached its host another one is tried, if that is asked for", async () => {
  const seen: OperationId[] = [];
  await retrying(
    async (operationId) => {
      seen.push(operationId);
      const outcome = ["pending", "not-delivered", "pending"][seen.length - 1];
      if (outcome === undefined) return;
      throw new PodfleetError("HOST_UNREACHABLE", "Cannot reach it", { details: { outcome } });
    },
    { clock: new SleepClock(), whenHostSilent: "retry" },
  );
  expect(seen.map((id) => seen.indexOf(id))).toEqual([0, 0, 2, 2]);
});

test("an answer is final, also a bad one that might be better later", async () => {
  let attempts = 0;
  const call = retrying(async () => {
    attempts += 1;
    throw new PodfleetError("HOST_UNREACHABLE", "Cannot reach the host");
  });
  await expect(call).rejects.toMatchObject({ code: "HOST_UNREACHABLE" });
  expect(attempts).toBe(1);
});

test("an outage is survived for a minute and no longer", async () => {
  const clock = new SleepClock();
  await expect(
    persist(async () => await Promise.reject(unavailable("ECONNREFUSED")), { clock }),
  ).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(clock.nowMs()).toBeGreaterThanOrEqual(60_000);
  expect(clock.nowMs()).toBeLessThan(63_000);
});

test("a call that was held open ends one outage and begins another", async () => {
  const clock = new SleepClock();
  let attempts = 0;
  const call = async (): Promise<string> => {
    attempts += 1;
    if (attempts > 20) return "met";
    await clock.sleep(30_000);
    throw unavailable("UND_ERR_SOCKET");
  };
  expect(await persist(call, { clock })).toBe("met");
});

test.each([
  ["ECONNREFUSED", 1],
  ["UND_ERR_CONNECT_TIMEOUT", 1],
  ["ECONNRESET", 2],
  ["UND_ERR_SOCKET", 2],
])("with whenDown fail, a first attempt that ends with %s makes %i attempts", async (reason, n) => {
  let attempts = 0;
  const call = async (): Promise<void> => {
    attempts += 1;
    if (attempts === 1) throw unavailable(reason);
  };
  await persist(call, { clock: new SleepClock(), whenDown: "fail" }).catch(() => undefined);
  expect(attempts).toBe(n);
});

test("a silent host is waited for only when that is asked for", async () => {
  const silent = new PodfleetError("HOST_UNREACHABLE", "Cannot reach the host");
  let attempts = 0;
  const call = async (): Promise<string> => {
    attempts += 1;
    if (attempts === 1) throw silent;
    return "back";
  };
  const clock = new SleepClock();
  expect(await persist(call, { clock, whenHostSilent: "retry" })).toBe("back");
  attempts = 0;
  await expect(persist(call, { clock })).rejects.toBe(silent);
});

test("a caller that gives up is told so", async () => {
  const signal = AbortSignal.abort();
  await expect(
    persist(async () => await Promise.reject(unavailable("ECONNRESET")), {
      clock: new SleepClock(),
      signal,
    }),
  ).rejects.toMatchObject({ code: "CANCELLED" });
});
