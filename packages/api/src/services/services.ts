/**
 * The port of this package: the procedures call these services and the control plane implements them. A method that takes a signal ends
 * with CANCELLED when it is aborted; every method fails with UNAVAILABLE when its process is about to end.
 */
import type { PodfleetError } from "@podfleet/model/errors";
import type { HostInspection, HostRecord } from "@podfleet/model/host";
import type { ImageRecord } from "@podfleet/model/image";
import type { FleetLoops } from "@podfleet/model/loop-status";
import type { Trace } from "@podfleet/model/span";

import type { TraceReference } from "../requests/traces.ts";
import type { ArtifactService } from "./artifacts.ts";
import type { ContainerService } from "./containers.ts";
import type { EventService } from "./events.ts";
import type { ExecService } from "./exec.ts";
import type { OperationService } from "./operations.ts";
import type { SessionService } from "./sessions.ts";

export interface Services {
  readonly operations: OperationService;
  readonly containers: ContainerService;
  readonly artifacts: ArtifactService;
  readonly exec: ExecService;
  readonly sessions: SessionService;
  readonly events: EventService;
  readonly hosts: HostService;
  readonly images: ImageService;
  readonly traces: TraceService;
  readonly system: SystemService;
}

export interface HostService {
  /** Lists hosts by name. */
  list(): Promise<HostRecord[]>;
  /** @throws PodfleetError HOST_NOT_FOUND */
  inspect(host: string): Promise<HostInspection>;
}

export interface ImageService {
  list(): Promise<ImageRecord[]>;
}

export interface TraceService {
  /** @throws PodfleetError TRACE_NOT_FOUND, OPERATION_NOT_FOUND */
  get(by: TraceReference): Promise<Trace>;
}

export interface SystemService {
  /** The version of podfleet. */
  readonly version: string;
  /** How background work fares. */
  readonly loops: () => Promise<FleetLoops>;
  /** Finds the operating failure behind an error of the implementation, such as a lost database; undefined for a defect. */
  readonly findFailure: (error: unknown) => PodfleetError | undefined;
}
