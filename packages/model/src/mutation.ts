/** What a caller asks to be done, before the container that it names is looked up. */
import type { z } from "zod";

import type { ExecId } from "./ids.ts";
import type { Alone, Claim, Noun, Output, Uploaded } from "./verb/definition.ts";
import type { DefinitionOf, UploadVerb, Verb, VerbClaiming, VerbOn } from "./verb/verbs.ts";

/** Verbs of one container. Loading images and importing a container read an archive first, so their requests are of their own kind. */
export type MutationVerb =
  | VerbOn<"container" | "exec" | "new-exec">
  | Exclude<VerbOn<"new-container">, UploadVerb>;

export type MutationOf<V extends MutationVerb> = { [K in V]: { verb: K } & Mutations[K] }[V];
export type Mutation = MutationOf<MutationVerb>;
/** A mutation of a container that there is. */
export type ContainerMutation = MutationOf<VerbOn<"container" | "exec" | "new-exec">>;

/** What may change a container's name or what it has reserved. */
export type ContainerChange = MutationOf<Extract<VerbOn<"container">, VerbClaiming<Claim>>>;

type Mutations = {
  [V in MutationVerb]: References[DefinitionOf<V>["on"]] & Output<ArgumentsShape<V>>;
};

type ArgumentsShape<V extends Verb, D extends DefinitionOf<Verb> = DefinitionOf<V>> = {
  verb: z.ZodLiteral<V>;
} & D["input"] &
  Alone<D> &
  Uploaded<D>;

interface References extends Record<Noun, object> {
  readonly container: ContainerReference;
  readonly "new-container": object;
  readonly exec: ContainerReference & { readonly execId: ExecId };
  readonly "new-exec": ContainerReference & { readonly execId: ExecId };
}

/** `container` is a name, an id or the prefix of one. */
type ContainerReference = { readonly container: string };
