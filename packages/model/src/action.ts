/** What an operation asks of a host: a verb, what it is on, and its arguments. */
import { z } from "zod";

import type { ContainerId } from "./ids.ts";
import {
  type Alone,
  type Input,
  type Output,
  targets,
  type Uploaded,
  uploaded,
  type VerbDefinition,
} from "./verb/definition.ts";
import { verbUnion } from "./verb/verb-union.ts";
import { type DefinitionOf, type Verb, verbNames, verbs } from "./verb/verbs.ts";

type ActionShape<V extends Verb, D extends VerbDefinition = DefinitionOf<V>> = {
  verb: z.ZodLiteral<V>;
} & (typeof targets)[D["on"]] &
  D["input"] &
  Alone<D> &
  Uploaded<D>;

type Actions = { [V in Verb]: Output<ActionShape<V>> };
export type ActionOf<V extends Verb> = { [K in V]: { verb: K } & Actions[K] }[V];
export type Action = ActionOf<Verb>;
type ContainerAction = Extract<Action, { readonly containerId: ContainerId }>;
/** An action on a container, without the container's id. */
export type ActionWithoutContainer = ContainerAction extends infer A
  ? A extends ContainerAction
    ? Omit<A, "containerId">
    : never
  : never;

type ActionInput = { [V in Verb]: Input<ActionShape<V>> }[Verb];

export const actionSchema = verbUnion<Action, ActionInput>(
  verbNames.map((verb) => {
    const { on, input, alone, upload }: VerbDefinition = verbs[verb];
    const taken = upload ? uploaded : {};
    return z.strictObject({ verb: z.literal(verb), ...targets[on], ...input, ...alone, ...taken });
  }),
);
