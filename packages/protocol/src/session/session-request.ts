import { PodfleetError } from "@podfleet/model/errors";
import { newSessionId, type SessionId } from "@podfleet/model/ids";
import type { sessionSpecSchema } from "@podfleet/model/session";
import type { z } from "zod";

import { windowMax } from "../stream/frame.ts";
import { type OpenRequest, openRequestSchema } from "../stream/open.ts";

export interface SessionRequest {
  /** Name, id or id prefix. */
  readonly container: string;
  /** What the session is attached to, where it begins, and whether it takes input (model/session). Ignored when the session exists. */
  readonly spec?: z.input<typeof sessionSpecSchema>;
  /** Generated when absent. Opening an existing id takes the session over from its present connection. */
  readonly session?: SessionId;
  /** Whether the session must exist; when false it is created if it does not. */
  readonly resume?: boolean;
  /** The offset after the output that the caller has; when absent, a resumed session goes on after its last acknowledgement. */
  readonly offset?: number;
}

const windowMin = 64 * 1024;
const windowDefault = 2 * 1024 * 1024;

/**
 * The request that opens the session, with every default filled in.
 * @throws PodfleetError INVALID_INPUT
 */
export function openRequestOf(
  { session = newSessionId(), spec = {}, ...request }: SessionRequest,
  options: { readonly windowBytes?: number | undefined; readonly traceparent?: string | undefined },
): OpenRequest {
  const { windowBytes = windowDefault, traceparent } = options;
  if (windowBytes < windowMin || windowBytes > windowMax) {
    throw refused(`windowBytes is ${windowBytes}, must be from ${windowMin} to ${windowMax}`);
  }
  const parsed = openRequestSchema.safeParse({
    ...request,
    ...{ session, spec, window: windowBytes },
    ...(traceparent === undefined ? {} : { traceparent }),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refused(`${issue?.path.join(".")}: ${issue?.message}`);
}

function refused(reason: string): PodfleetError {
  return new PodfleetError("INVALID_INPUT", `Cannot open a session: ${reason}`);
}
