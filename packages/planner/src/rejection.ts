/** Reasons why a host cannot take a container. The first that applies is reported. */
import type { HostId } from "@podfleet/model/ids";
import { matchesImage } from "@podfleet/model/image";
import type { Capacity } from "@podfleet/model/resources";

import type { CandidateHost } from "./candidate-host.ts";
import { findViolation } from "./constraint.ts";
import type { PlacementRequest } from "./placement-request.ts";

export type RejectionReason =
  | "unreachable"
  | "constraint"
  | "dependency"
  | "image"
  | "cpu"
  | "memory";

export interface Rejection {
  readonly host: { readonly id: HostId; readonly name: string };
  readonly reason: RejectionReason;
  /** Human-readable: what is missing and what there is. */
  readonly message: string;
}

/** The first reason why `host` cannot take the container; undefined when it can. */
export function findRejection(
  request: PlacementRequest,
  host: CandidateHost,
): Rejection | undefined {
  const found = findUnfit(request, host) ?? findShortage(request.reservation, host);
  return found && { host: { id: host.id, name: host.name }, ...found };
}

type Reason = Omit<Rejection, "host">;

function findUnfit(request: PlacementRequest, host: CandidateHost): Reason | undefined {
  if (host.state !== "ready") {
    return { reason: "unreachable", message: "its agent does not answer" };
  }
  for (const constraint of request.placement.constraints) {
    const violation = findViolation(constraint, host);
    if (violation !== undefined) return { reason: "constraint", message: violation };
  }
  const elsewhere = request.dependencies.find(({ hostId }) => hostId !== host.id);
  if (elsewhere) {
    const message = `dependency ${JSON.stringify(elsewhere.name)} is on another host`;
    return { reason: "dependency", message };
  }
  if (!host.images.some((image) => matchesImage(request.image, image))) {
    return { reason: "image", message: `image ${JSON.stringify(request.image)} is not loaded` };
  }
  return undefined;
}

/** The resource that `host` lacks for a reservation; undefined when it has enough free. */
export function findShortage(
  reservation: Capacity,
  { capacity, reserved }: Pick<CandidateHost, "capacity" | "reserved">,
): Reason | undefined {
  const freeMillis = Math.max(0, capacity.cpuMillis - reserved.cpuMillis);
  if (reservation.cpuMillis > freeMillis) {
    const message = `needs ${cpus(reservation.cpuMillis)} CPUs, ${cpus(freeMillis)} of ${cpus(capacity.cpuMillis)} are free`;
    return { reason: "cpu", message };
  }
  const freeBytes = Math.max(0, capacity.memoryBytes - reserved.memoryBytes);
  if (reservation.memoryBytes > freeBytes) {
    const message = `needs ${reservation.memoryBytes} bytes of memory, ${freeBytes} of ${capacity.memoryBytes} are free`;
    return { reason: "memory", message };
  }
  return undefined;
}

function cpus(millis: number): string {
  return String(millis / 1000);
}
