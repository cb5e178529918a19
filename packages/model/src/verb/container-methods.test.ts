import { expect, test } from "vitest";

import { isTransition } from "../container/state.ts";
import { PodfleetError } from "../errors.ts";
import {
  assertAllowed,
  containerCan,
  type ContainerMethod,
  refusalOf,
} from "./container-methods.ts";

test.each([
  ["pause", "paused", "ALREADY_PAUSED"],
  ["pause", "exited", "STATE_INVALID"],
  ["unpause", "running", "NOT_PAUSED"],
  ["stop", "exited", "ALREADY_STOPPED"],
  ["stop", "paused", "STATE_INVALID"],
  ["exec.start", "paused", "CANNOT_INVOKE"],
] as const)("%s of a container that is %s is %s", (method, state, code) => {
  expect(refusalOf(method, state)).toBe(code);
  const refuse = (): void => assertAllowed(method, { name: "web", state });
  expect(refuse).toThrow(PodfleetError);
  expect(refuse).toThrow(`container "web": state is "${state}", must be one of`);
});

test("a method's result can come about from each state that it accepts", () => {
  const reachable = (from: Parameters<typeof isTransition>[0], to: typeof from): boolean =>
    isTransition(from, to) ||
    (["created", "stopped", "running"] as const).some(
      (between) => isTransition(from, between) && isTransition(between, to),
    );
  for (const method of Object.keys(containerCan) as ContainerMethod[]) {
    const capability = containerCan[method];
    if (!("result" in capability)) continue;
    for (const state of capability.states) {
      if (state === capability.result) continue;
      expect(reachable(state, capability.result), `${method} from ${state}`).toBe(true);
    }
  }
});
