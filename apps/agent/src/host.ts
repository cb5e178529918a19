import type { Engine } from "@podfleet/engine/engine";
import type { HostInfo } from "@podfleet/model/host";
import type { HostId } from "@podfleet/model/ids";

import type { AgentConfig } from "./config.ts";
import { version } from "./version.ts";

/** Describes the host to the control plane: from what the engine found and from the settings. */
export function describeHost(
  config: AgentConfig,
  id: HostId,
  facts: ReturnType<Engine["hostFacts"]>,
): HostInfo {
  return {
    ...facts,
    id,
    name: config.hostName,
    labels: config.labels,
    agentVersion: version,
    capacity: { ...facts.capacity, ...config.capacity },
  };
}
