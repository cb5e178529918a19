/** What the crash matrix goes through: each method, the calls that it makes of conmon and of the OCI runtime, and what is to come of it. */
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerSpecInput } from "@podfleet/model/container/spec";
import type { ErrorCode } from "@podfleet/model/errors";
import { testRuntime } from "@podfleet/testkit/test-runtime";

import type { Verb } from "./test-engine.ts";
import { newExecId, startVerb } from "./test-exec.ts";

export const given = {
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

export interface Method {
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
export const whens = ["before stop", "after stop", "before hold"] as const;

const start = { verb: "container.start", recursive: false } as const;
const remove = { verb: "container.remove", force: true, dependents: false } as const;
const creating = ["conmon create", `${testRuntime} create`];
const ending = [`${testRuntime} kill`, `${testRuntime} delete`];

export const methods: Method[] = [
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
