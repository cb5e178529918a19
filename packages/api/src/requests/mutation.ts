/** What a caller may ask to be changed: the arguments of the verb table beside what names the object and the operation. */
import { execIdSchema, type OperationId } from "@podfleet/model/ids";
import type { Mutation } from "@podfleet/model/mutation";
import type { Alone, Input, VerbDefinition } from "@podfleet/model/verb/definition";
import { type DefinitionOf, type UploadVerb, type VerbOn, verbs } from "@podfleet/model/verb/verbs";
import { z } from "zod";

import { containerReferenceSchema, mutationInput } from "./fields.ts";

/** Verbs that take nothing but their arguments: no upload, and no session to be made up. */
export type PlainVerb = Exclude<VerbOn<keyof typeof references>, UploadVerb>;

const container = containerReferenceSchema;
const references = {
  container: { container },
  "new-container": {},
  exec: { container, exec: execIdSchema },
} as const;

/** The input of a mutation as the caller writes it. */
export type MutationInput<V extends PlainVerb> = Input<
  typeof mutationInput & (typeof references)[DefinitionOf<V>["on"]] & ArgumentsShape<V>
>;
type ArgumentsShape<V extends PlainVerb> = DefinitionOf<V>["input"] & Alone<DefinitionOf<V>>;

/** The parsed mutation and its operation id. */
interface NamedMutation {
  readonly operationId: OperationId | undefined;
  readonly mutation: Mutation;
}

export function mutationSchema<V extends PlainVerb>(
  verb: V,
): z.ZodType<NamedMutation, MutationInput<V>> {
  const { input, alone, check }: VerbDefinition = verbs[verb];
  const reference = references[verbs[verb].on];
  const shape: z.ZodRawShape = { ...mutationInput, ...reference, ...input, ...alone };
  const object = z.strictObject(shape);
  const checked = check ? object.refine(check.holds, { error: check.error }) : object;
  const schema = checked.transform(({ operationId, exec, ...rest }) => ({
    operationId,
    mutation: { verb, ...rest, ...(exec === undefined ? {} : { execId: exec }) },
  }));
  // The compiler cannot follow a table into a schema.
  return schema as unknown as z.ZodType<NamedMutation, MutationInput<V>>;
}
