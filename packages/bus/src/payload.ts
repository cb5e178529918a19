/** Payloads of messages: JSON in UTF-8, and errors in the form of protocol/reply. */
import { headers, type Msg, type MsgHdrs } from "@nats-io/transport-node";
import { PodfleetError, wireErrorSchema } from "@podfleet/model/errors";
import { errorHeader, errorReplySchema } from "@podfleet/protocol/reply";
import type { z } from "zod";

export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** @throws PodfleetError INVALID_INPUT that names the first invalid field */
export function parseRequest<Schema extends z.ZodType>(
  message: string,
  schema: Schema,
  value: () => unknown,
): z.output<Schema> {
  return parse(schema, value, (reason, cause) => {
    return new PodfleetError("INVALID_INPUT", `Cannot read the request "${message}": ${reason}`, {
      cause,
    });
  });
}

/** @throws PodfleetError INTERNAL when the reply does not follow the protocol */
export function parseReply<Schema extends z.ZodType>(
  message: string,
  schema: Schema,
  value: () => unknown,
): z.output<Schema> {
  return parse(schema, value, (reason, cause) => {
    return new PodfleetError("INTERNAL", `Cannot read the reply to "${message}": ${reason}`, {
      cause,
    });
  });
}

/** The value of a JSON reply. @throws PodfleetError the error that the reply holds instead */
export function replyValue(reply: Msg): unknown {
  const value: unknown = reply.json();
  const failed = errorReplySchema.safeParse(value);
  if (failed.success) throw PodfleetError.fromWire(failed.data.error);
  return value;
}

/** @throws PodfleetError the error in the header of a binary reply */
export function assertNoErrorHeader(reply: Msg): void {
  if (!reply.headers?.has(errorHeader)) return;
  throw PodfleetError.fromWire(wireErrorSchema.parse(JSON.parse(reply.headers.get(errorHeader))));
}

export function errorHeaders(error: PodfleetError): MsgHdrs {
  const carrier = headers();
  carrier.set(errorHeader, JSON.stringify(error.toWire()).replaceAll(/[\u0080-\uffff]/g, escaped));
  return carrier;
}

export function setHeaders(
  carrier: MsgHdrs,
  values: Readonly<Record<string, string | number | boolean>>,
): MsgHdrs {
  for (const [key, value] of Object.entries(values)) carrier.set(key, String(value));
  return carrier;
}

/** The headers that `schema` names, as strings. */
export function headerValues(message: Msg, schema: z.ZodObject): Record<string, string> {
  const carrier = message.headers;
  const present = Object.keys(schema.shape).filter((key) => carrier?.has(key));
  return Object.fromEntries(present.map((key) => [key, carrier?.get(key) ?? ""]));
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  value: () => unknown,
  makeError: (reason: string, cause: unknown) => PodfleetError,
): z.output<Schema> {
  let parsed: unknown;
  try {
    parsed = value();
  } catch (error) {
    if (error instanceof SyntaxError) throw makeError(error.message, error);
    throw error;
  }
  const result = schema.safeParse(parsed);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue && issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
  throw makeError(`${field}${issue?.message ?? "unknown reason"}`, result.error);
}

/** JSON with escapes instead of characters beyond ASCII, because NATS headers carry ASCII. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
