import { z } from "zod";

/** A union of objects by their `verb`. The compiler cannot follow a table into a schema, so callers name the types. */
export function verbUnion<Value, Input>(objects: readonly z.ZodObject[]): z.ZodType<Value, Input> {
  const options = objects as [z.ZodObject, ...z.ZodObject[]];
  return z.discriminatedUnion("verb", options) as unknown as z.ZodType<Value, Input>;
}
