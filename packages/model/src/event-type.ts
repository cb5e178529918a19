import { z } from "zod";

import type { VerbDefinition } from "./verb/definition.ts";
import { type DefinitionOf, type Verb, verbNames, verbs } from "./verb/verbs.ts";

/** Types of events that are not the success of a verb. */
const furtherTypes = [
  "container.died",
  "container.restart-failed",
  "container.attach",
  "container.detach",
  "container.export",
  "container.health_status",
  "exec.died",
  "operation.finished",
] as const;

type SuccessOf<V extends Verb> =
  DefinitionOf<V> extends { readonly event: infer Type extends string } ? Type : V;

/** libpod's names where it has one. */
export type EventType = { [V in Verb]: SuccessOf<V> }[Verb] | (typeof furtherTypes)[number];

/** The event of a verb's success. */
export function successOf(verb: Verb): EventType {
  const definition: VerbDefinition = verbs[verb];
  return (definition.event ?? verb) as EventType;
}

export const eventTypes = [
  ...new Set([...verbNames.map((verb) => successOf(verb)), ...furtherTypes]),
] as [EventType, ...EventType[]];
export const eventTypeSchema = z.enum(eventTypes);
