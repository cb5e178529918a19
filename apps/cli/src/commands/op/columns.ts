import { humanAge } from "@podfleet/base/human-duration";
import type { OperationRecord } from "@podfleet/model/operation";

import { preciseDuration } from "../../output/quantity.ts";
import type { Columns } from "../../output/table.ts";

export function operationColumns(nowMs: number): Columns<OperationRecord> {
  return {
    id: { heading: "OPERATION", value: ({ id }) => id },
    verb: { heading: "VERB", value: (operation) => operation.verb },
    container: { heading: "CONTAINER", value: ({ container }) => container?.name ?? "" },
    host: { heading: "HOST", value: ({ host }) => host?.name ?? "" },
    status: { heading: "STATUS", value: ({ status }) => status },
    error: { heading: "ERROR", value: ({ error }) => error?.code ?? "" },
    caller: { heading: "CALLER", value: ({ caller }) => caller },
    created: { heading: "CREATED", value: ({ createdAt }) => humanAge(createdAt, nowMs) },
    took: { heading: "TOOK", value: operationDuration },
    trace: { heading: "TRACE", value: ({ traceId }) => traceId ?? "" },
  };
}

/** Empty while it is under way. */
export function operationDuration({ createdAt, finishedAt }: OperationRecord): string {
  return finishedAt === undefined
    ? ""
    : preciseDuration(Date.parse(finishedAt) - Date.parse(createdAt));
}
