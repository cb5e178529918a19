/** Steps on one container under one lock, and the verb that takes them. */
import { z } from "zod";

import { containerVerbs } from "./container-verbs.ts";
import { type Input, notRemoving, type Output, type VerbDefinition } from "./definition.ts";
import { execVerbs } from "./exec-verbs.ts";
import { verbUnion } from "./verb-union.ts";

const candidates = { ...containerVerbs, ...execVerbs };
type Candidates = typeof candidates;

export type StepVerb = {
  [V in keyof Candidates]: Candidates[V] extends { readonly step: true } ? V : never;
}[keyof Candidates];

/** A verb within a batch: on the batch's container, under the lock that the batch holds. */
export type StepOf<V extends StepVerb> = { [K in V]: { verb: K } & Output<StepShape<K>> }[V];
export type Step = StepOf<StepVerb>;
type StepInput = { [V in StepVerb]: Input<StepShape<V>> }[StepVerb];

type StepShape<V extends StepVerb> = { verb: z.ZodLiteral<V> } & Candidates[V]["input"];

export const stepVerbs = (Object.keys(candidates) as (keyof Candidates)[]).filter(
  (verb): verb is StepVerb => "step" in candidates[verb],
);

const stepSchema = verbUnion<Step, StepInput>(
  stepVerbs.map((verb) => z.strictObject({ verb: z.literal(verb), ...candidates[verb].input })),
);

/** Steps of a batch at most. */
export const stepsMax = 100;
export const stepsSchema = z.array(stepSchema).min(1, "must have a step").max(stepsMax);

export const batchVerb = {
  /** All steps under one lock, in order. */
  "container.batch": {
    on: "container",
    needs: "operate",
    input: {
      steps: stepsSchema,
      /** Goes on after a step that failed. */
      continueOnError: z.boolean().default(false),
    },
    claims: ["name", "resources"],
    can: { states: notRemoving, errors: ["COMMAND_FAILED"], phrase: "carry out steps on" },
    event: "operation.finished",
  },
} as const satisfies Record<string, VerbDefinition>;
