import { PodfleetError, wireErrorSchema } from "@podfleet/model/errors";
import { TRPCClientError } from "@trpc/client";
import { z } from "zod";

/** tRPC's error shape with the control plane's field `podfleet`. */
const errorShapeSchema = z.object({
  message: z.string(),
  data: z.object({ code: z.string(), podfleet: wireErrorSchema.optional() }),
});

/** Converts any error of a tRPC call to a PodfleetError. */
export function failureOf(error: unknown): PodfleetError {
  if (!(error instanceof TRPCClientError)) return PodfleetError.from(error);
  if (error.cause instanceof PodfleetError) return error.cause;
  return error.shape ? failureOfShape(error.shape) : PodfleetError.from(error);
}

export function failureOfShape(shape: unknown): PodfleetError {
  const parsed = errorShapeSchema.safeParse(shape);
  if (!parsed.success) return PodfleetError.from(new Error(JSON.stringify(shape)));
  const { message, data } = parsed.data;
  if (data.podfleet) return PodfleetError.fromWire(data.podfleet);
  return new PodfleetError("INTERNAL", `The control plane refused the call: ${message}`, {
    details: { trpcCode: data.code },
  });
}
