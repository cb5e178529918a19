/**
 * How a host answers `do`, `operation.settle` and `wait`, whether containers run on it or are only simulated. Messages are parsed as
 * they are on their way.
 */
import type { Action, ActionOf, ActionWithoutContainer as Verb } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { type ContainerSpec, containerSpecSchema } from "@podfleet/model/container/spec";
import { hasCode } from "@podfleet/model/errors";
import type { AgentEvent } from "@podfleet/model/event";
import { successOf } from "@podfleet/model/event-type";
import { execSpecSchema } from "@podfleet/model/exec";
import {
  type ContainerId,
  execIdSchema,
  newContainerId,
  newOperationId,
  type OperationId,
} from "@podfleet/model/ids";
import { isNotDelivered, type OperationOutcome } from "@podfleet/model/operation";
import type { Step } from "@podfleet/model/verb/batch-verb";
import { type DoRequest, doReplySchema, doRequestSchema } from "@podfleet/protocol/host/do";
import type { SettleReply, SettleRequest } from "@podfleet/protocol/host/settle";
import { type WaitReply, type WaitRequest, waitReplySchema } from "@podfleet/protocol/host/wait";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { created, type Modelled, react, verbOf, verbs } from "./modelled-container.ts";

/** A host that holds the image `busybox`. */
export interface HostUnderTest extends AsyncDisposable {
  do(request: DoRequest): Promise<{ readonly outcome: OperationOutcome }>;
  settle(request: SettleRequest): SettleReply;
  wait(request: WaitRequest, signal: AbortSignal): Promise<WaitReply>;
  /** All that have not been reported, oldest first. */
  events(): readonly AgentEvent[];
  /** Command of a container whose process `end` can end. */
  readonly command: readonly string[];
  /** The process of a running container ends by itself. */
  end(id: ContainerId, exitCode: number): Promise<void>;
}

type State = "configured" | "created" | "running" | "paused" | "exited";

const start = { verb: "container.start", recursive: false } as const;
const stop = { verb: "container.stop", timeoutSeconds: 0 } as const;

/** How a container is brought into each state. */
const entries: Readonly<Record<State, readonly Verb[]>> = {
  configured: [],
  created: [{ verb: "container.init" }],
  running: [start],
  paused: [start, { verb: "container.pause" }],
  exited: [start, stop],
};

const sigkill = 9;

export function hostVerbsSuite(name: string, open: () => Promise<HostUnderTest>): void {
  describe(`verbs on ${name}`, () => {
    let host: HostUnderTest;
    let names = 0;

    beforeAll(async () => {
      host = await open();
    });

    afterAll(async () => {
      await host[Symbol.asyncDispose]();
    });

    async function perform(
      action: Action,
      operationId: OperationId = newOperationId(),
    ): Promise<OperationOutcome> {
      const request = doRequestSchema.parse(passed({ operationId, action }));
      return doReplySchema.parse(passed(await host.do(request))).outcome;
    }

    async function give(containerId: ContainerId, verb: Verb): Promise<OperationOutcome> {
      return await perform({ ...verb, containerId } as Action);
    }

    async function take(containerId: ContainerId, verb: Verb): Promise<ContainerSnapshot> {
      return containerOf(await give(containerId, verb));
    }

    async function create(spec: Partial<ContainerSpec> = {}): Promise<ContainerId> {
      const containerId = newContainerId();
      await take(containerId, createVerb(spec));
      return containerId;
    }

    function createVerb(spec: Partial<ContainerSpec> = {}): Verb {
      names += 1;
      const full = { image: "busybox", command: host.command, stopTimeoutSeconds: 0, ...spec };
      return {
        verb: "container.create",
        name: `suite-${names}`,
        spec: containerSpecSchema.parse(full),
      };
    }

    async function createIn(state: State): Promise<ContainerId> {
      const id = await create();
      for (const verb of entries[state]) await take(id, verb);
      return id;
    }

    async function wait(request: WaitRequest): Promise<WaitReply> {
      const { signal } = new AbortController();
      return waitReplySchema.parse(passed(await host.wait(request, signal)));
    }

    async function exited(containerId: ContainerId): Promise<WaitReply> {
      return await wait({ containerId, condition: "exited", timeoutMs: 20_000 });
    }

    function eventsOf(id: ContainerId): AgentEvent[] {
      return host.events().filter(({ containerId }) => containerId === id);
    }

    describe.each(Object.keys(entries) as State[])("a container that is %s", (state) => {
      test.each(verbs)("%s does what the capability table says", async (command) => {
        const id = await createIn(state);
        const before = await modelOf(id, state);
        names += 1;
        const outcome = await give(id, verbOf(command, names));
        const { code, after } = react(before, command, false);
        expect(codeOf(outcome)).toBe(code);
        const condition = after.state === "gone" ? "removed" : after.state;
        const { run } = after.state === "gone" ? before : after;
        const reached = await wait({ containerId: id, condition, timeoutMs: 0 });
        expect(reached).toMatchObject({ state: "met", container: { run } });
      });
    });

    async function modelOf(id: ContainerId, state: State): Promise<Modelled> {
      const reply = await wait({ containerId: id, condition: state, timeoutMs: 20_000 });
      if (reply.state === "pending") throw new Error(`Container ${id} is not ${state}`);
      return { ...created, state, run: reply.container.run };
    }

    test("an operation takes effect once, and its id is for no other", async () => {
      const containerId = await create();
      const operationId = newOperationId();
      const action = { ...start, containerId };
      const first = await perform(action, operationId);
      expect(await perform(action, operationId)).toEqual(first);
      expect(containerOf(first).run).toBe(1);
      const other = perform({ verb: "container.pause", containerId }, operationId);
      await expect(other).rejects.toMatchObject({ code: "CONFLICT" });
      expect(host.settle({ operationId })).toEqual({ state: "finished", outcome: first });
      const ends = eventsOf(containerId).filter(({ operation }) => operation?.id === operationId);
      expect(ends.filter(({ operation }) => operation?.outcome)).toHaveLength(1);
    });

    test("an operation that was settled as unknown never takes effect", async () => {
      const containerId = await create();
      const operationId = newOperationId();
      expect(host.settle({ operationId })).toEqual({ state: "unknown" });
      const outcome = await perform({ ...start, containerId }, operationId);
      expect(codeOf(outcome)).toBe("CANCELLED");
      expect(outcome.status === "failed" && isNotDelivered(outcome.error)).toBe(true);
      expect(await wait({ containerId, condition: "exit", timeoutMs: 0 })).toMatchObject({
        run: 0,
      });
    });

    test("events are numbered without gaps, and each success is the verb's event", async () => {
      const id = await create();
      const given: Verb[] = [start, { verb: "container.pause" }, { verb: "container.unpause" }];
      given.push({ verb: "container.mount" }, { verb: "container.unmount", force: false }, stop);
      for (const verb of given) await take(id, verb);
      const seqs = host.events().map(({ seq }) => seq);
      expect(seqs).toEqual(seqs.map((_, at) => (seqs[0] ?? 0) + at));
      const ends = eventsOf(id).filter(({ operation }) => operation?.outcome);
      expect(ends.map(({ type }) => type)).toEqual(
        ["container.create" as const, ...given.map(({ verb }) => verb)].map(successOf),
      );
      const revisions = eventsOf(id).flatMap(({ container }) => container?.revision ?? []);
      expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
    });

    test("a run that ends by itself has its exit code, also when the next one runs", async () => {
      const id = await create();
      await take(id, start);
      const pending = await wait({ containerId: id, condition: "exit", timeoutMs: 0 });
      expect(pending).toEqual({ state: "pending", run: 1 });
      await host.end(id, 7);
      expect(await exited(id)).toMatchObject({ state: "met", run: 1, exitCode: 7 });
      await take(id, start);
      const first = await wait({ containerId: id, condition: "exit", run: 1, timeoutMs: 0 });
      expect(first).toMatchObject({ state: "met", run: 1, exitCode: 7, container: { run: 2 } });
      const next = await wait({ containerId: id, condition: "next-exit", timeoutMs: 0 });
      expect(next).toEqual({ state: "pending", run: 2 });
    });

    test("SIGKILL ends it with 137, and who waits for a removal gets that too", async () => {
      const id = await create();
      await take(id, start);
      expect((await take(id, { verb: "container.kill", signal: sigkill })).stoppedByUser).toBe(
        true,
      );
      expect(await exited(id)).toMatchObject({ state: "met", run: 1, exitCode: 137 });
      await take(id, start);
      const removal = { verb: "container.remove", dependents: false } as const;
      expect(codeOf(await give(id, { ...removal, force: false }))).toBe("STATE_INVALID");
      await take(id, { ...removal, force: true });
      const removed = await wait({ containerId: id, condition: "removed", timeoutMs: 0 });
      expect(removed).toMatchObject({ state: "met", run: 2, exitCode: 137 });
      expect(codeOf(await give(id, start))).toBe("CONTAINER_NOT_FOUND");
      const running = wait({ containerId: id, condition: "running", timeoutMs: 0 });
      await expect(running).rejects.toMatchObject({ code: "CONTAINER_NOT_FOUND" });
    });

    test("a container that there is not is not found", async () => {
      const id = newContainerId();
      for (const command of verbs) {
        expect(codeOf(await give(id, verbOf(command, 0)))).toBe("CONTAINER_NOT_FOUND");
      }
      const waiting = wait({ containerId: id, condition: "exit", timeoutMs: 0 });
      await expect(waiting).rejects.toSatisfy((error) => hasCode(error, "CONTAINER_NOT_FOUND"));
    });

    test("ids and names of containers are for one each", async () => {
      const id = await create();
      const taken = createVerb() as Omit<ActionOf<"container.create">, "containerId">;
      expect(codeOf(await give(id, taken))).toBe("INVALID_INPUT");
      const other = newContainerId();
      await take(other, taken);
      expect(codeOf(await give(newContainerId(), taken))).toBe("NAME_IN_USE");
      const rename = { verb: "container.rename", name: taken.name } as const;
      expect(codeOf(await give(id, rename))).toBe("NAME_IN_USE");
    });

    test("an update is in the snapshot, and one that cannot be is refused", async () => {
      const id = await create({ autoRemove: true });
      const resources = { pidsLimit: 50 };
      const after = await take(id, { verb: "container.update", resources });
      expect(after.specChanges).toEqual({ resources });
      const restartPolicy = { name: "always" } as const;
      const refused = await give(id, { verb: "container.update", restartPolicy });
      expect(codeOf(refused)).toBe("INVALID_INPUT");
    });

    test("mounts are counted", async () => {
      const id = await create();
      const unmount = { verb: "container.unmount", force: false } as const;
      expect(codeOf(await give(id, unmount))).toBe("NOT_MOUNTED");
      await take(id, { verb: "container.mount" });
      expect((await take(id, { verb: "container.mount" })).mount?.count).toBe(2);
      expect((await take(id, unmount)).mount?.count).toBe(1);
      expect((await take(id, { ...unmount, force: true })).mount).toBeUndefined();
    });

    test("a healthcheck that is not in the spec cannot be run", async () => {
      const id = await createIn("running");
      const outcome = await give(id, { verb: "container.healthcheck" });
      expect(codeOf(outcome)).toBe("INVALID_INPUT");
    });

    test("a batch answers with a result for each step", async () => {
      const id = await create();
      const steps: Step[] = [
        { verb: "container.start" },
        { verb: "container.pause" },
        { verb: "container.stop", timeoutSeconds: 0 },
        { verb: "container.unpause" },
      ];
      const batch = { verb: "container.batch", steps } as const;
      const stopped = await give(id, { ...batch, continueOnError: false });
      expect(codeOf(stopped)).toBe("STATE_INVALID");
      expect(stopped.container?.state).toBe("paused");
      const results = ["succeeded", "succeeded", "failed", "skipped"];
      expect(stopped.steps?.map(({ status }) => status)).toEqual(results);
      const types = eventsOf(id).flatMap(({ type, operation }) =>
        operation?.step === undefined || type === "container.init" ? [] : [type],
      );
      expect(types).toEqual(["container.start", "container.pause"]);

      const other = await create();
      const carriedOn = await give(other, { ...batch, continueOnError: true });
      expect(carriedOn.steps?.map(({ status }) => status)).toEqual([
        ...results.slice(0, 3),
        "succeeded",
      ]);
      expect(carriedOn.container?.state).toBe("running");
    });

    test("an exec session runs, is killed and is removed", async () => {
      const containerId = await createIn("running");
      const execId = execIdSchema.parse(newContainerId());
      const spec = execSpecSchema.parse({ command: ["sleep", "600"] });
      const begin = { verb: "exec.start", containerId, execId, spec } as const;
      const started = await perform(begin);
      expect(started).toMatchObject({ status: "succeeded", exec: { state: "running", run: 1 } });
      expect(codeOf(await perform(begin))).toBe("EXEC_IN_USE");
      const remove = { verb: "exec.remove", containerId, execId } as const;
      expect(codeOf(await perform({ ...remove, force: false }))).toBe("EXEC_IN_USE");
      const kill = { verb: "exec.kill", containerId, execId, signal: 10 } as const;
      expect(await perform(kill)).toMatchObject({ exec: { id: execId } });
      const removed = await perform({ ...remove, force: true });
      expect(removed).toMatchObject({ status: "succeeded", exec: { state: "exited" } });
      expect(codeOf(await perform(kill))).toBe("EXEC_NOT_FOUND");
    });

    test("an artifact that there is not cannot be removed", async () => {
      const id = await create();
      const outcome = await give(id, { verb: "artifact.remove", name: "none" });
      expect(codeOf(outcome)).toBe("ARTIFACT_NOT_FOUND");
    });
  });
}

/** As it comes out of a message. */
function passed(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function codeOf(outcome: OperationOutcome): string | undefined {
  return outcome.status === "failed" ? outcome.error.code : undefined;
}

function containerOf(outcome: OperationOutcome): ContainerSnapshot {
  if (outcome.status === "failed") {
    throw new Error(`${outcome.error.code}: ${outcome.error.message}`);
  }
  if (!outcome.container) throw new Error("The outcome is of no container");
  return outcome.container;
}
