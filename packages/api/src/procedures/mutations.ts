/** The procedures that the verb table makes: a verb without its noun, in the router of the noun. */
import { verbNames, verbs } from "@podfleet/model/verb/verbs";

import { mutationSchema, type PlainVerb } from "../requests/mutation.ts";
import { procedure } from "./trpc.ts";

type NameOf<V extends PlainVerb, Group extends string> = V extends `${Group}.${infer Name}`
  ? Name
  : never;

type Mutations<Group extends string> = {
  [V in PlainVerb as NameOf<V, Group>]: ReturnType<typeof mutationProcedure<V>>;
};

/** One for each verb of the group that takes nothing but its arguments. */
export function mutationsOf<Group extends string>(group: Group): Mutations<Group> {
  const procedures = verbNames
    .filter((verb) => isPlain(verb))
    .flatMap((verb) => {
      const [noun, name] = verb.split(".");
      return noun === group ? [[name, mutationProcedure(verb)] as const] : [];
    });
  return Object.fromEntries(procedures) as Mutations<Group>;
}

function mutationProcedure<V extends PlainVerb>(verb: V) {
  return procedure.input(mutationSchema(verb)).mutation(async ({ ctx, input }) => {
    const { operationId, mutation } = input;
    return await ctx.services.operations.perform({ caller: ctx.caller, operationId, mutation });
  });
}

function isPlain(verb: keyof typeof verbs): verb is PlainVerb {
  const { on } = verbs[verb];
  return !("upload" in verbs[verb]) && on !== "image" && on !== "new-exec";
}
