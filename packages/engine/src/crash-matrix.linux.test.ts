/**
 * The engine is killed before and after each call that each method makes of conmon and of the OCI runtime; so each commit is
 * bracketed too. All rows are at their point when one SIGKILL ends the engine, and the next one finds them all.
 */
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { Action } from "@podfleet/model/action";
import { type ContainerId, newContainerId, newOperationId } from "@podfleet/model/ids";
import type { OperationOutcome } from "@podfleet/model/operation";
import { FailPoints } from "@podfleet/testkit/fail-points";
import { findLeaks } from "@podfleet/testkit/temp-root";
import { testRuntime } from "@podfleet/testkit/test-runtime";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { OperationRequest } from "./operation/operation-runner.ts";
import { given, type Method, methods, whens } from "./test-crash-methods.ts";
import { performAndCrash } from "./test-crashing-engine.ts";
import { EngineUnderTest } from "./test-engine.ts";

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
    const ended = await under.engine.execs.wait({ containerId, execId, timeoutMs: 120_000 });
    expect(ended).toMatchObject({ state: "exited" });
  }
  const expected = result === "removed" ? undefined : result.state;
  const state = () => under.engine.containers().find((found) => found.id === id)?.state;
  await waitFor(() => state() === expected, {
    what: `"${expected ?? "removed"}" after ${name}, ${at.join(", then ")}`,
    timeoutMs: 120_000,
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
}, 600_000);

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
