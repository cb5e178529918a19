/** What a caller asks to be done, before the container that it names is looked up. */
import type { z } from "zod";

import type { Alone, Claim, Output, references, Uploaded } from "./verb/definition.ts";
import type { DefinitionOf, UploadVerb, Verb, VerbClaiming, VerbOn } from "./verb/verbs.ts";

/** Verbs of one container. Loading images and importing a container read an archive first, so their requests are of their own kind. */
export type MutationVerb =
  | VerbOn<"container" | "exec">
  | Exclude<VerbOn<"new-container">, UploadVerb>;

export type MutationOf<V extends MutationVerb> = { [K in V]: { verb: K } & Mutations[K] }[V];
export type Mutation = MutationOf<MutationVerb>;
export type ContainerMutation = MutationOf<VerbOn<"container" | "exec">>;

/** What may change a container's name or what it has reserved. */
export type ContainerChange = MutationOf<Extract<VerbOn<"container">, VerbClaiming<Claim>>>;

type Mutations = { [V in MutationVerb]: Output<MutationShape<V>> };

type MutationShape<V extends Verb, D extends DefinitionOf<Verb> = DefinitionOf<V>> = {
  verb: z.ZodLiteral<V>;
} & (typeof references)[D["on"]] &
  D["input"] &
  Alone<D> &
  Uploaded<D>;
