import type { Context } from "@opentelemetry/api";
import type { ContainerInspect, ContainerSummary } from "@podfleet/model/container/record";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import type { ContainerState } from "@podfleet/model/container/state";
import type { WaitCondition } from "@podfleet/model/container/wait";
import type { EventRecord, EventType } from "@podfleet/model/event";
import type { HostRecord } from "@podfleet/model/host";
import type { OperationId } from "@podfleet/model/ids";
import type { ImageRecord } from "@podfleet/model/image";
import type { OperationRecord, OperationStatus } from "@podfleet/model/operation";
import type { SpanRecord } from "@podfleet/model/span";

export interface Caller {
  readonly name: string;
}

export interface MutationResult {
  readonly operationId: OperationId;
  readonly container: ContainerSummary;
}

export interface Services {
  readonly operations: {
    perform(request: {
      caller: Caller;
      operationId: OperationId | undefined;
      mutation:
        | { verb: "container.create"; spec: ContainerSpec }
        | { verb: "container.init" | "container.sync"; container: string }
        | { verb: "container.start"; container: string; recursive: boolean }
        | { verb: "container.stop"; container: string; timeoutSeconds?: number | undefined }
        | { verb: "container.kill"; container: string; signal: number }
        | { verb: "container.remove"; container: string; force: boolean; dependents: boolean };
    }): Promise<MutationResult>;
    list(filters: {
      limit: number;
      container?: string | undefined;
      host?: string | undefined;
      status?: OperationStatus | undefined;
    }): Promise<OperationRecord[]>;
    get(operationId: OperationId): Promise<OperationRecord>;
  };
  readonly containers: {
    list(filters: {
      all: boolean;
      limit?: number | undefined;
      filters?:
        | {
            host?: string[] | undefined;
            name?: string[] | undefined;
            label?: string[] | undefined;
            state?: ContainerState[] | undefined;
            id?: string[] | undefined;
          }
        | undefined;
    }): Promise<ContainerSummary[]>;
    inspect(container: string): Promise<ContainerInspect>;
    wait(
      request: { container: string; condition: WaitCondition; run?: number | undefined },
      signal: AbortSignal | undefined,
    ): Promise<WaitResult>;
    logs(
      request: {
        container: string;
        follow: boolean;
        tail?: number | undefined;
        since?: string | undefined;
        offset?: number | undefined;
      },
      signal: AbortSignal | undefined,
    ): AsyncGenerator<LogChunk>;
  };
  readonly hosts: { list(): Promise<HostRecord[]>; get(host: string): Promise<HostRecord> };
  readonly events: {
    list(
      filters: EventFilters & { until?: string | undefined; limit: number },
    ): Promise<EventRecord[]>;
    watch(
      filters: EventFilters & { after?: number | undefined },
      signal: AbortSignal | undefined,
    ): AsyncGenerator<EventRecord>;
  };
  readonly images: { list(): Promise<ImageRecord[]> };
  readonly traces: {
    get(by: {
      traceId?: string | undefined;
      operationId?: OperationId | undefined;
    }): Promise<{ traceId: string; spans: SpanRecord[] }>;
  };
}

export interface EventFilters {
  since?: string | undefined;
  container?: string | undefined;
  host?: string | undefined;
  types?: EventType[] | undefined;
}

export interface WaitResult {
  readonly run: number;
  readonly exitCode?: number;
  readonly exitUnknown: boolean;
  readonly container: ContainerSummary;
}

export interface LogChunk {
  readonly bytes: Uint8Array;
  readonly next: number;
}

export interface ApiContext {
  readonly caller: Caller;
  /** Holds the caller's span, from the `traceparent` header. */
  readonly traceParent: Context;
  readonly services: Services;
}
