import { createHash } from "node:crypto";

import type { Action } from "@podfleet/model/action";

/** Equal for equal actions, whatever the order of their fields. */
export function hashAction(action: Action): string {
  return createHash("sha256").update(JSON.stringify(action, sortFields)).digest("hex");
}

function sortFields(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
