import { operationIdSchema, traceIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

export const traceGetInput = z.union(
  [z.strictObject({ traceId: traceIdSchema }), z.strictObject({ operationId: operationIdSchema })],
  { error: 'must have either "traceId" or "operationId"' },
);
export type TraceReference = z.output<typeof traceGetInput>;
