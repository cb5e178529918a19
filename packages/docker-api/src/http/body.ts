import { PodfleetError } from "@podfleet/model/errors";
import type { z } from "zod";

import { parseInput } from "./query.ts";

/**
 * A request's body: JSON, or nothing for an object without fields.
 * @throws PodfleetError INVALID_INPUT that names the field, its value and what is allowed
 */
export function readBody<Schema extends z.ZodType>(
  schema: Schema,
  body: unknown,
): z.output<Schema> {
  const text = typeof body === "string" ? body.trim() : "";
  return parseInput(schema, text === "" ? {} : parseJson(text));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PodfleetError("INVALID_INPUT", `Cannot read the body as JSON: ${reason}`, {
      cause: error,
    });
  }
}
