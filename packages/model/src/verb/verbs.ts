/**
 * The table of all verbs. What else has to name them is derived from it: actions and steps, mutations, procedures of the API, event
 * types, the capability table and its page in the documents.
 */
import { z } from "zod";

import { artifactVerbs } from "./artifact-verbs.ts";
import { batchVerb } from "./batch-verb.ts";
import { containerVerbs } from "./container-verbs.ts";
import type { Claim, Noun, VerbDefinition } from "./definition.ts";
import { execVerbs } from "./exec-verbs.ts";
import { imageVerbs } from "./image-verbs.ts";

export const verbs = {
  ...containerVerbs,
  ...batchVerb,
  ...execVerbs,
  ...artifactVerbs,
  ...imageVerbs,
} as const;

type Verbs = typeof verbs;
export type Verb = keyof Verbs;

export const verbNames = Object.keys(verbs) as [Verb, ...Verb[]];
export const verbSchema = z.enum(verbNames);

export type DefinitionOf<V extends Verb> = Verbs[V];

export type VerbOn<N extends Noun> = {
  [V in Verb]: Verbs[V]["on"] extends N ? V : never;
}[Verb];

export type UploadVerb = {
  [V in Verb]: Verbs[V] extends { readonly upload: true } ? V : never;
}[Verb];

export type VerbClaiming<C extends Claim> = {
  [V in Verb]: Verbs[V] extends { readonly claims: readonly (infer Claimed)[] }
    ? C extends Claimed
      ? V
      : never
    : never;
}[Verb];

/** What is taken in the fleet's records for a verb. */
export function claimsOf(verb: Verb): readonly Claim[] {
  const { claims = [] }: VerbDefinition = verbs[verb];
  return claims;
}
