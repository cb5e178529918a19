/**
 * The transformer of values of the tRPC API, used by both sides. A value that JSON preserves is sent as it is; any other is encoded by
 * devalue, which preserves Uint8Array, Date and undefined and takes several times as long.
 */
import { parse, stringify } from "devalue";

export type SerializedValue = string | { readonly json: unknown };

export const apiTransformer = {
  serialize: (value: unknown): SerializedValue =>
    isJson(value) ? { json: value } : stringify(value),
  /** @throws Error when the value has neither form */
  deserialize: (serialized: unknown): unknown => {
    if (typeof serialized === "string") return parse(serialized);
    if (isEnvelope(serialized)) return serialized.json;
    throw new Error(`Malformed value of the API: ${JSON.stringify(serialized)}`);
  },
};

function isEnvelope(value: unknown): value is { readonly json: unknown } {
  return typeof value === "object" && value !== null && "json" in value;
}

/** Whether JSON preserves the value. Undefined properties are ignored: every schema of the API takes them as absent. */
function isJson(value: unknown): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "object":
      return value === null || isJsonObject(value);
    default:
      return false;
  }
}

function isJsonObject(value: object): boolean {
  if (Array.isArray(value)) return value.every(isJson);
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  for (const property of Object.values(value)) {
    if (property !== undefined && !isJson(property)) return false;
  }
  return true;
}
