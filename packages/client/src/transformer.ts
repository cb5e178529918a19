import { parse, stringify } from "devalue";

/** Values as they cross the API: JSON with Uint8Array, Date and undefined kept. The control plane uses the same. */
export const transformer = {
  serialize: (value: unknown): string => stringify(value),
  deserialize: (text: string): unknown => parse(text),
};
