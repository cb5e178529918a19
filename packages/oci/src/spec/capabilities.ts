/** Capabilities of a container's processes. */
import { defaultCapabilities } from "@podfleet/model/container/capability";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import { PodfleetError } from "@podfleet/model/errors";

import type { CapabilityName } from "./host-limits.ts";
import type { ResolvedUser } from "./resolved-user.ts";
import type { RuntimeProcess } from "./runtime-spec.ts";

/**
 * Finds the bounding set: the capabilities that the container's processes can ever hold.
 * @param available the agent's own bounding set
 * @throws PodfleetError UNSUPPORTED when the agent lacks a capability that is asked for
 */
export function boundingCapabilities(
  spec: ContainerSpec,
  available: readonly CapabilityName[],
): CapabilityName[] {
  if (spec.privileged) return [...available];
  const { capabilitiesAdd: add, capabilitiesDrop: drop } = spec;
  const lacking = add.find((name) => name !== "ALL" && !available.includes(name));
  if (lacking !== undefined) {
    throw new PodfleetError(
      "UNSUPPORTED",
      `Cannot add capability "${lacking}": the host's agent does not have it itself`,
      { details: { field: "capabilitiesAdd", capability: lacking } },
    );
  }
  return available.filter((name) => {
    if (add.includes(name)) return true;
    if (drop.includes(name)) return false;
    if (add.includes("ALL")) return true;
    return !drop.includes("ALL") && isDefaultCapability(name);
  });
}

function isDefaultCapability(name: CapabilityName): boolean {
  return defaultCapabilities.some((capability) => capability === name);
}

/**
 * Builds the capability sets of a process. Root holds the whole bounding set. Another user holds the capabilities that were added by name,
 * and keeps them over execve.
 */
export function capabilitySets(
  spec: ContainerSpec,
  bounding: readonly CapabilityName[],
  user: ResolvedUser,
): RuntimeProcess["capabilities"] {
  const all = bounding.map((name) => `CAP_${name}`);
  if (user.uid === 0) {
    return { bounding: all, effective: all, permitted: all, inheritable: [], ambient: [] };
  }
  const added = bounding
    .filter((name) => spec.capabilitiesAdd.includes(name) || spec.capabilitiesAdd.includes("ALL"))
    .map((name) => `CAP_${name}`);
  return {
    bounding: all,
    effective: added,
    permitted: added,
    inheritable: added,
    ambient: added,
  };
}
