import { operationIdSchema } from "@podfleet/model/ids";
import type { OperationId } from "@podfleet/model/ids";

import { flagError } from "./flag-error.ts";

export function parseOperationId(text: string): OperationId {
  const parsed = operationIdSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw flagError("operation", text, 'must be an operation\'s id, as "podfleet op ls" shows it');
}
