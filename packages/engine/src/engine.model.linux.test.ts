/**
 * Random commands to real containers, compared with the model of one. Several containers are told something at a time, the engine
 * is opened anew in between, and some commands are given two at once: then one of the two orders has to explain what happened.
 *
 * PODFLEET_TEST_EFFORT=10 runs ten times as many sequences. A failure shows the shortest sequence that fails, and the seed.
 */
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { ErrorCode } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { runtimeNames } from "@podfleet/oci/runtime/runtime";
import {
  type Command,
  created,
  gone,
  type Modelled,
  react,
  type Verb,
  verbOf,
  verbs,
} from "@podfleet/simulator/modelled-container";
import { testEffort } from "@podfleet/testkit/effort";
import { findLeaks } from "@podfleet/testkit/temp-root";
import { waitFor } from "@podfleet/testkit/wait-for";
import fc from "fast-check";
import { expect, test } from "vitest";

import { EngineUnderTest } from "./test-engine.ts";

const sequencesAtOnce = 8;
const stepsMax = 8;
const timeMsMax = 600_000 * testEffort;
/** In which sequences are played, with each runtime. */
const rounds = { runc: 25 * testEffort, crun: 5 * testEffort } as const;

/** One command, or two at once. */
type Step = Command | readonly [Verb, Verb];

interface Round {
  readonly sequences: readonly (readonly Step[])[];
  /** Steps after which the engine is opened anew. */
  readonly reopenAfter: readonly number[];
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.constantFrom<Command>(...verbs, "kill", "end"), weight: 4 },
  { arbitrary: fc.tuple(fc.constantFrom(...verbs), fc.constantFrom(...verbs)), weight: 1 },
);
/** Most sequences begin with a start: what follows is of more interest then. What fails shrinks to one that need not. */
const sequence = fc.oneof(
  { withCrossShrink: true },
  { arbitrary: fc.array(step, { maxLength: stepsMax }), weight: 1 },
  {
    arbitrary: fc
      .array(step, { maxLength: stepsMax - 1 })
      .map((rest): Step[] => ["start", ...rest]),
    weight: 3,
  },
);
const round: fc.Arbitrary<Round> = fc.record({
  // As many in each round; those that do not matter for a failure shrink to nothing.
  sequences: fc.array(sequence, { minLength: sequencesAtOnce, maxLength: sequencesAtOnce }),
  reopenAfter: fc.uniqueArray(fc.nat(stepsMax - 1), { maxLength: 2 }),
});

let under: EngineUnderTest;

test.each(runtimeNames)(
  "containers of %s do what the model does",
  { timeout: timeMsMax },
  async (runtime) => {
    under = await EngineUnderTest.open(runtime);
    await using _disposed = under;
    const details = await fc.check(fc.asyncProperty(round, playRound), {
      numRuns: rounds[runtime],
      interruptAfterTimeLimit: timeMsMax / 2,
      markInterruptAsFailure: true,
    });
    const report = await fc.asyncDefaultReportMessage(details);
    expect(report && `${report}\n${String(details.errorInstance)}`).toBeUndefined();
  },
);

interface Player {
  readonly id: ContainerId;
  readonly steps: readonly Step[];
  model: Modelled;
}

async function playRound({ sequences, reopenAfter }: Round): Promise<void> {
  const players: Player[] = await Promise.all(
    sequences
      .filter((steps) => steps.length > 0)
      .map(async (steps) => ({ id: await create(), steps, model: created })),
  );
  try {
    const length = Math.max(...sequences.map((steps) => steps.length));
    for (let at = 0; at < length; at += 1) {
      await Promise.all(
        players.map(async (player) => {
          const next = player.steps[at];
          if (next) player.model = await playStep(player.id, player.model, next);
        }),
      );
      if (reopenAfter.includes(at)) await reopenBetween(players);
    }
  } finally {
    await Promise.all(players.map(async ({ id }) => await remove(id)));
  }
  await nothingLeft(players.map(({ id }) => id));
}

/** The next engine finds all as it was. */
async function reopenBetween(players: readonly Player[]): Promise<void> {
  await under.reopen();
  expect(players.map(({ id }) => observed(id))).toEqual(players.map(({ model }) => model));
}

/** The process ends by itself when a file `end` is there. */
const script =
  "trap 'exit 3' TERM; trap : USR1; while [ ! -e /end ]; do sleep 0.1 & wait $!; done; rm /end; exit 4";

async function create(): Promise<ContainerId> {
  return await under.create({ command: ["sh", "-c", script] });
}

async function playStep(id: ContainerId, model: Modelled, next: Step): Promise<Modelled> {
  return typeof next === "string"
    ? await playOne(id, model, next)
    : await playBoth(id, model, next);
}

async function playOne(id: ContainerId, model: Modelled, command: Command): Promise<Modelled> {
  const { code, after } = react(model, command);
  expect({ command, code: await give(id, command, model) }).toEqual({ command, code });
  await settled(id, after);
  return after;
}

async function playBoth(
  id: ContainerId,
  model: Modelled,
  [first, second]: readonly [Verb, Verb],
): Promise<Modelled> {
  const codes = await Promise.all([give(id, first, model), give(id, second, model)]);
  const found = { codes, ...observed(id) };
  const [forwards, backwards] = [explain(model, first, second), explain(model, second, first)];
  backwards.codes.reverse();
  const wants = [forwards, backwards];
  const { codes: _, ...after } = wants.find((want) => equal(want, found)) ?? forwards;
  expect(wants).toContainEqual(found);
  return after;
}

/** What two commands at once come to when the first is the first to get its turn. */
function explain(model: Modelled, first: Verb, second: Verb) {
  const ran = ["created", "running", "paused"].includes(model.state);
  const one = react(model, first, ran);
  const two = react(one.after, second, ran);
  return { codes: [one.code, two.code], ...two.after };
}

function equal(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function observed(id: ContainerId): Modelled {
  const container = under.engine.containers().find((each) => each.id === id);
  return container ? { state: container.state, run: container.run } : gone;
}

/** What kills and ends lead to comes by itself; all else is there at once. */
async function settled(id: ContainerId, model: Modelled): Promise<void> {
  if (model.state === "exited") await under.inState(id, "exited");
  expect(observed(id)).toEqual(model);
}

let names = 0;

/** The code of its error, if it fails. */
async function give(
  id: ContainerId,
  command: Command,
  { state }: Modelled,
): Promise<ErrorCode | undefined> {
  if (command === "end") {
    const path = join(under.options.dataRoot, "containers", id, "rootfs", "end");
    if (state === "running") await writeFile(path, "");
    return undefined;
  }
  names += 1;
  const outcome = await under.perform(id, verbOf(command, names));
  return outcome.status === "failed" ? outcome.error.code : undefined;
}

async function remove(id: ContainerId): Promise<void> {
  if (observed(id).state !== "gone") await under.remove(id);
}

async function nothingLeft(ids: readonly ContainerId[]): Promise<void> {
  const { dataRoot, cgroupParent } = under.options;
  let leaks: string[] = [];
  const isFree = async (): Promise<boolean> => {
    const all = await findLeaks(dirname(dataRoot), cgroupParent);
    leaks = all.filter((leak) => ids.some((id) => leak.includes(id)));
    return leaks.length === 0;
  };
  try {
    await waitFor(isFree, { what: "the remains of a round to go" });
  } catch (error) {
    throw new Error(`Left behind: ${leaks.join(", ")}`, { cause: error });
  }
}
