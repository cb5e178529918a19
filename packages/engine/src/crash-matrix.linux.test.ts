/**
 * The engine is killed before and after each call that each method makes of conmon and of the OCI runtime; so each commit is
 * bracketed too. All rows are at their point when one SIGKILL ends the engine, and the next one finds them all.
 */
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { Action } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerSpecInput } from "@podfleet/model/container/spec";
import type { ErrorCode } from "@podfleet/model/errors";
import { type ContainerId, newContainerId, newOperationId } from "@podfleet/model/ids";
import type { OperationOutcome } from "@podfleet/model/operation";
import { performAndCrash } from "@podfleet/testkit/crashing-engine";
import { EngineUnderTest, type Verb } from "@podfleet/testkit/engine-under-test";
import { FailPoints } from "@podfleet/testkit/fail-points";
import { findLeaks } from "@podfleet/testkit/temp-root";
import { testRuntime } from "@podfleet/testkit/test-runtime";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { newExecId, startVerb } from "./exec/test-exec.ts";
import type { OperationRequest } from "./operation/operation-runner.ts";

const given = {
  configured: { script: "echo run; sleep 600 & wait", enter: [] },
  created: { script: "echo run; sleep 600 & wait", enter: [{ verb: "container.init" }] },
  running: {
    script: "trap 'exit 3' TERM; trap : USR1; echo run; sleep 600 & while :; do wait; done",
    enter: [{ verb: "container.start", recursive: false }],
  },
  paused: {
    script: "echo run; sleep 600 & wait",
    enter: [{ verb: "container.start", recursive: false }, { verb: "container.pause" }],
  },
  exited: {
    script: "echo run; [ -e /ran ] && { sleep 600 & wait; }; touch /ran; exit 4",
    enter: [{ verb: "container.start", recursive: false }],
  },
  /** Ends when the test says so. */
  ending: {
    script:
      "echo run; [ -e /end ] && { sleep 600 & wait; }; until [ -e /end ]; do sleep 0.05; done; exit 6",
    enter: [{ verb: "container.start", recursive: false }],
  },
} as const satisfies Record<string, { readonly script: string; readonly enter: readonly Verb[] }>;

interface Method {
  readonly name: string;
  readonly given: keyof typeof given;
  /** Absent: the container's command ends by itself. A function: another for each row. */
  readonly verb?: Verb | (() => Verb);
  readonly calls: readonly string[];
  readonly outcome?: ErrorCode;
  /** What it may fail with instead of success, because nobody can tell how far it had come. */
  readonly may?: ErrorCode;
  readonly result: Partial<ContainerSnapshot> | "removed";
  readonly output?: string;
  readonly spec?: Partial<ContainerSpecInput>;
  /** All when absent. The ends by themselves must not be more than the engine deals with at a time, four. */
  readonly whens?: readonly (typeof whens)[number][];
}

/** The call is not made; it is made, and nobody hears of it; or it is made while the next engine opens. */
const whens = ["before stop", "after stop", "before hold"] as const;

const start = { verb: "container.start", recursive: false } as const;
const remove = { verb: "container.remove", force: true, dependents: false } as const;
const creating = ["conmon create", `${testRuntime} create`];
const ending = [`${testRuntime} kill`, `${testRuntime} delete`];

const methods: Method[] = [
  {
    name: "init of a configured one",
    given: "configured",
    verb: { verb: "container.init" },
    calls: creating,
    result: { state: "created", run: 0 },
  },
  {
    name: "start of a configured one",
    given: "configured",
    verb: start,
    calls: [...creating, `${testRuntime} start`],
    result: { state: "running", run: 1 },
    output: "run\n",
  },
  {
    name: "start of a created one",
    given: "created",
    verb: start,
    calls: [`${testRuntime} start`],
    result: { state: "running", run: 1 },
    output: "run\n",
  },
  {
    name: "start of an exited one",
    given: "exited",
    verb: start,
    calls: [...creating, `${testRuntime} start`],
    result: { state: "running", run: 2, exitedRun: 1, exitCode: 4 },
    output: "run\nrun\n",
  },
  {
    name: "stop of a running one",
    given: "running",
    verb: { verb: "container.stop" },
    calls: ending,
    result: { state: "exited", exitedRun: 1, exitCode: 3, stoppedByUser: true },
  },
  {
    name: "stop -t 0 of a running one",
    given: "running",
    verb: { verb: "container.stop", timeoutSeconds: 0 },
    calls: ending,
    result: { state: "exited", exitedRun: 1, exitCode: 137, stoppedByUser: true },
  },
  {
    name: "stop of a created one",
    given: "created",
    verb: { verb: "container.stop" },
    calls: ending,
    result: { state: "exited", run: 0, exitedRun: 0 },
  },
  {
    name: "kill -s KILL",
    given: "running",
    verb: { verb: "container.kill", signal: 9 },
    calls: [`${testRuntime} kill`],
    result: { state: "exited", exitedRun: 1, exitCode: 137, stoppedByUser: true },
  },
  {
    name: "kill -s USR1",
    given: "running",
    verb: { verb: "container.kill", signal: 10 },
    calls: [`${testRuntime} kill`],
    outcome: "INTERRUPTED",
    result: { state: "running", run: 1 },
    output: "run\n",
  },
  {
    name: "rm -f of a running one",
    given: "running",
    verb: remove,
    calls: ending,
    result: "removed",
  },
  {
    name: "rm of a created one",
    given: "created",
    verb: { ...remove, force: false },
    calls: ending,
    result: "removed",
  },
  {
    name: "sync of a running one",
    given: "running",
    verb: { verb: "container.sync" },
    calls: [`${testRuntime} state`],
    result: { state: "running", run: 1 },
    output: "run\n",
  },
  {
    name: "pause",
    given: "running",
    verb: { verb: "container.pause" },
    calls: [`${testRuntime} pause`],
    result: { state: "paused", run: 1 },
  },
  {
    name: "unpause",
    given: "paused",
    verb: { verb: "container.unpause" },
    calls: [`${testRuntime} resume`],
    result: { state: "running", run: 1 },
    output: "run\n",
  },
  {
    name: "update",
    given: "running",
    verb: { verb: "container.update", resources: { cpus: 0.5 } },
    calls: [`${testRuntime} update`],
    result: { state: "running", run: 1 },
    output: "run\n",
  },
  {
    name: "cleanup of a created one",
    given: "created",
    verb: { verb: "container.cleanup" },
    calls: [`${testRuntime} delete`],
    result: { state: "configured", run: 0 },
    // An end that is found to have come meanwhile makes it one that has exited.
    whens: ["before stop"],
  },
  {
    name: "exec",
    given: "running",
    verb: () => startVerb(newExecId(), "echo ran"),
    calls: ["conmon exec", `${testRuntime} exec`],
    may: "INTERRUPTED",
    result: { state: "running", run: 1 },
    output: "run\n",
  },
  {
    name: "a healthcheck",
    given: "running",
    verb: { verb: "container.healthcheck" },
    calls: ["conmon exec", `${testRuntime} exec`],
    result: { state: "running", run: 1, health: "healthy" },
    output: "run\n",
    spec: { healthcheck: { command: ["true"], intervalMs: 3_600_000 } },
  },
  {
    name: "restart of a running one",
    given: "running",
    verb: { verb: "container.restart" },
    calls: [...ending, ...creating, `${testRuntime} start`],
    result: { state: "running", run: 2, exitedRun: 1, exitCode: 3, stoppedByUser: false },
    output: "run\nrun\n",
  },
  {
    name: "refresh of a running one",
    given: "running",
    verb: { verb: "container.refresh" },
    calls: [...ending, ...creating, `${testRuntime} start`],
    result: { state: "running", run: 2, exitedRun: 1, exitCode: 3 },
    output: "run\nrun\n",
    whens: ["after stop"],
  },
  {
    name: "refresh of a paused one",
    given: "paused",
    verb: { verb: "container.refresh" },
    calls: [`${testRuntime} resume`, ...ending, `${testRuntime} start`, `${testRuntime} pause`],
    result: { state: "paused", run: 2, exitedRun: 1 },
    spec: { stopTimeoutSeconds: 0 },
    whens: ["after stop"],
  },
  {
    name: "a batch of stop and start",
    given: "running",
    verb: {
      verb: "container.batch",
      steps: [{ verb: "container.stop" }, { verb: "container.start" }],
      continueOnError: false,
    },
    calls: [...ending, ...creating, `${testRuntime} start`],
    result: { state: "running", run: 2, exitedRun: 1, exitCode: 3 },
    output: "run\nrun\n",
    whens: ["after stop"],
  },
  {
    name: "an end by itself with a restart policy",
    given: "ending",
    calls: [`${testRuntime} create`],
    result: { state: "running", run: 2, exitedRun: 1, exitCode: 6, restartCount: 1 },
    output: "run\nrun\n",
    spec: { restartPolicy: { name: "always" } },
    whens: ["after stop"],
  },
  {
    name: "an end by itself",
    given: "ending",
    calls: [`${testRuntime} delete`],
    whens: ["before stop", "after stop"],
    result: { state: "exited", exitedRun: 1, exitCode: 6, stoppedByUser: false },
  },
  {
    name: "an end by itself with --rm",
    given: "ending",
    calls: [`${testRuntime} delete`],
    result: "removed",
    spec: { autoRemove: true },
    whens: ["after stop"],
  },
];

interface Row extends Method {
  readonly id: ContainerId;
  readonly request: OperationRequest | undefined;
  /** Where it is when the first engine is killed, and where when the one that carries it on is killed too. */
  readonly at: readonly [string, string?];
}

function row(method: Method, ...at: Row["at"]): Row {
  const id = newContainerId();
  const verb = typeof method.verb === "function" ? method.verb() : method.verb;
  const action = verb && ({ ...verb, containerId: id } as Action);
  return { ...method, id, at, request: action && { operationId: newOperationId(), action } };
}

const rows: Row[] = methods.flatMap((method) =>
  method.calls.flatMap((call) =>
    (method.whens ?? whens).map((when) => row(method, `${call}: ${when}`)),
  ),
);

/** Killed again on the way of putting things in order. */
const twice = methods.flatMap((method) => {
  if (!method.verb || method.outcome || method.whens) return [];
  const isAmong = (call: string): boolean => method.calls.includes(call);
  if (isAmong(`${testRuntime} create`) && !isAmong(`${testRuntime} delete`)) {
    return [
      row(method, `${testRuntime} create: after stop`, `${testRuntime} delete: before stop`),
      row(method, `${testRuntime} create: after stop`, `${testRuntime} delete: after stop`),
    ];
  }
  if (!isAmong(`${testRuntime} delete`)) return [];
  return [
    row(method, `${testRuntime} kill: before stop`, `${testRuntime} kill: after stop`),
    row(method, `${testRuntime} delete: before stop`, `${testRuntime} delete: after stop`),
  ];
});

let under: EngineUnderTest;
let failPoints: FailPoints;
let remains: string[];
const outcomes = new Map<ContainerId, OperationOutcome>();

async function prepare({ id, given: name, at, spec: further }: Row): Promise<void> {
  const { script, enter } = given[name];
  const points = at.filter((point) => point !== undefined);
  const spec = {
    command: ["sh", "-c", script],
    annotations: FailPoints.annotations(...points),
    ...further,
  };
  await under.create(spec, id);
  for (const verb of enter) await under.do(id, verb);
  if (name === "exited") await under.exited(id);
  if (name === "running") await under.printed(id, "run");
}

/** Kills an engine when each of these rows is at its point. */
async function crash(some: readonly Row[], position: 0 | 1): Promise<void> {
  const killWhen = async (): Promise<void> => {
    for (const { id, given } of position === 0 ? some : []) {
      const rootfs = join(under.options.dataRoot, "containers", id, "rootfs");
      if (given === "ending") await writeFile(join(rootfs, "end"), "");
    }
    const isMissing = ({ id, at }: Row): boolean => !failPoints.isReached(id, at[position] ?? "");
    try {
      await waitFor(() => !some.some(isMissing), { what: "all points", timeoutMs: 120_000 });
    } catch (error) {
      const missing = some.filter(isMissing).map(({ name, at }) => `${name}: ${at.join(", ")}`);
      throw new Error(`Not reached: ${missing.join("; ")}`, { cause: error });
    }
  };
  const requests = position === 0 ? some.flatMap(({ request }) => request ?? []) : [];
  const { pidFile } = failPoints;
  await performAndCrash({ options: under.options, pidFile, requests, killWhen });
}

async function settle({ name, at, id, request, result }: Row): Promise<void> {
  if (request) outcomes.set(id, await under.engine.perform(request));
  for (const { id: execId, containerId } of under.engine.execs.list(id)) {
    const ended = await under.engine.execs.wait({ containerId, execId, timeoutMs: 20_000 });
    expect(ended).toMatchObject({ state: "exited" });
  }
  const expected = result === "removed" ? undefined : result.state;
  const state = () => under.engine.containers().find((found) => found.id === id)?.state;
  await waitFor(() => state() === expected, {
    what: `"${expected ?? "removed"}" after ${name}, ${at.join(", then ")}`,
    timeoutMs: 20_000,
  });
}

beforeAll(async () => {
  under = await EngineUnderTest.open(testRuntime);
  // The containers are prepared with the real tools, so that they meet no point yet.
  await Promise.all([...rows, ...twice].map(prepare));
  failPoints = await FailPoints.install(join(dirname(under.options.dataRoot), "fail-points"));
  await under.reopen({
    toolDirectories: [failPoints.directory],
    // Calls are held until all are there.
    runtimeTimeoutMs: 300_000,
  });
  await under.close();
  await crash([...rows, ...twice], 0);
  await crash(twice, 1);
  await under.reopen();
  await Promise.all([...rows, ...twice].map(settle));
  const { dataRoot, cgroupParent } = under.options;
  remains = await findLeaks(dirname(dataRoot), cgroupParent);
}, 400_000);

afterAll(async () => {
  await under[Symbol.asyncDispose]();
}, 120_000);

/** What the next engines made of it. */
async function findingsOf({ id, request, may, result, output }: Row) {
  const outcome = outcomes.get(id);
  const code = outcome?.status === "failed" ? outcome.error.code : outcome?.status;
  const container = under.engine.containers().find((found) => found.id === id);
  // A process that crun has created is called as crun was, by the container's id, until it runs the command.
  const own = `process ${container?.pid} `;
  const left = remains.filter((each) => each.includes(id) && !each.startsWith(own));
  if (output !== undefined) await under.printed(id, output);
  return {
    outcome: code && code === may ? "succeeded" : code,
    operation: request && under.engine.settle(request.operationId).state,
    container: result === "removed" ? (container ?? "removed") : container,
    left: left.filter((remainder) => !remainder.startsWith("cgroup ")).map(withoutDetails),
    cgroups: left.some((remainder) => remainder.startsWith("cgroup ")),
    output: output === undefined ? undefined : await under.output(id),
  };
}

/** Without the command line of a process: `process 1234`. */
function withoutDetails(remainder: string): string {
  return remainder.replace(/ \(.*/, "");
}

function expectationsOf({ id, request, outcome, result, output }: Row) {
  const lives =
    result !== "removed" && ["created", "running", "paused"].includes(result.state ?? "");
  const storage = join(under.options.dataRoot, "containers", id);
  const monitor = lives ? under.snapshot(id).monitorPid : undefined;
  return {
    outcome: request && (outcome ?? "succeeded"),
    operation: request && "finished",
    container: result,
    left: lives ? [`mount ${join(storage, "rootfs")}`, `process ${monitor}`] : [],
    cgroups: lives,
    output,
  };
}

describe("kill -9 of the engine", () => {
  const name = ({ name, at }: Row): string => `${name}, ${at.join(", then ")}`;
  const named = (some: readonly Row[]) => some.map((each) => ({ ...each, title: name(each) }));

  test.each(named(rows))("$title", async (each) => {
    expect(await findingsOf(each)).toMatchObject(expectationsOf(each));
  });

  test.each(named(twice))("and of the next one: $title", async (each) => {
    expect(await findingsOf(each)).toMatchObject(expectationsOf(each));
  });
});
