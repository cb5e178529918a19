import type { Engine } from "@podfleet/engine/engine";
import type { HostInfo } from "@podfleet/model/host";
import type { HostId } from "@podfleet/model/ids";

import type { AgentConfig } from "./config.ts";
import { version } from "./version.ts";

/** What the agent says of its host: what the engine found, and what the settings name or narrow. */
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
