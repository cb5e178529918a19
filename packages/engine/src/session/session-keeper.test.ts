import { systemClock } from "@podfleet/base/clock";
import type { LoopFailure } from "@podfleet/base/loop";
import { createTempRoot } from "@podfleet/testkit/temp-root";
import { waitFor } from "@podfleet/testkit/wait-for";
import { expect, test } from "vitest";

import { EnginePaths } from "../host/engine-paths.ts";
import { ExecStore } from "../state/exec-store.ts";
import { SessionStore } from "../state/session-store.ts";
import { StateStore } from "../state/state-store.ts";
import { SessionKeeper } from "./session-keeper.ts";

/** The store of a disk without space. */
class FullSessionStore extends SessionStore {
  isFull = true;
  commits = 0;

  override commitNoted(): void {
    if (this.isFull) throw Object.assign(new Error("database or disk is full"), { errno: 28 });
    super.commitNoted();
    this.commits += 1;
  }
}

test("ENOSPC: what was noted is committed when there is space again", async () => {
  await using root = await createTempRoot("session-keeper");
  const store = StateStore.open(`${root.path}/engine.sqlite`, systemClock);
  const sessions = new FullSessionStore(store);
  const failures: LoopFailure[] = [];
  const keeper = new SessionKeeper({
    parts: {
      ...{ clock: systemClock, store, sessions, execs: new ExecStore(store) },
      paths: new EnginePaths({ dataRoot: root.path, runRoot: root.path }),
      journals: { keptFrom: () => 0 },
    },
    end: () => undefined,
    onFailure: (failure) => failures.push(failure),
  });
  keeper.loop.start();
  await waitFor(() => failures.length === 2, { what: "two reports" });
  expect(keeper.loop.status).toMatchObject({
    lastError: { message: "database or disk is full" },
  });
  sessions.isFull = false;
  await waitFor(() => sessions.commits > 0, { what: "a commit" });
  expect(keeper.loop.status.failures).toBe(0);
  await keeper.close();
  store.close();
});
