import type { ContainerSummary } from "@podfleet/model/container/record";
import type { HostRecord } from "@podfleet/model/host";
import type { ImageRecord } from "@podfleet/model/image";

import { dockerState } from "../container/container-state.ts";

/** `GET /info`: the fleet described as one machine. */
export function fleetInfo(fleet: {
  readonly version: string;
  readonly hosts: readonly HostRecord[];
  readonly containers: readonly ContainerSummary[];
  readonly images: readonly ImageRecord[];
}) {
  const { version, hosts, containers, images } = fleet;
  const states = containers.map(dockerState);
  const count = (state: string): number => states.filter((each) => each === state).length;
  const cpuMillis = hosts.reduce((sum, { capacity }) => sum + capacity.cpuMillis, 0);
  return {
    ID: "podfleet",
    Name: "podfleet",
    ServerVersion: version,
    OperatingSystem: `podfleet, ${hosts.length} ${hosts.length === 1 ? "host" : "hosts"}`,
    OSType: "linux",
    Architecture: valuesOf(hosts, ({ architecture }) => architecture),
    KernelVersion: valuesOf(hosts, ({ kernelVersion }) => kernelVersion),
    Containers: containers.length,
    ContainersRunning: count("running"),
    ContainersPaused: count("paused"),
    ContainersStopped: containers.length - count("running") - count("paused"),
    Images: images.length,
    NCPU: Math.floor(cpuMillis / 1000),
    MemTotal: hosts.reduce((sum, { capacity }) => sum + capacity.memoryBytes, 0),
    Driver: "overlay",
    DriverStatus: hosts.map(({ name, state, containers: { running, total } }) => [
      name,
      `${state}, ${running} of ${total} containers running`,
    ]),
    LoggingDriver: "k8s-file",
    CgroupVersion: valuesOf(hosts, ({ cgroupMode }) => (cgroupMode === "v2" ? "2" : "1")),
    CgroupDriver: "cgroupfs",
    DefaultRuntime: valuesOf(hosts, ({ runtime }) => runtime.name),
    Runtimes: Object.fromEntries(
      hosts.map(({ runtime }) => [runtime.name, { path: runtime.name }]),
    ),
    Plugins: { Volume: [], Network: ["host", "none"], Authorization: null, Log: ["k8s-file"] },
    Swarm: { LocalNodeState: "inactive" },
    SecurityOptions: ["name=seccomp,profile=builtin"],
    ...{
      MemoryLimit: true,
      PidsLimit: true,
      CpuCfsPeriod: true,
      CpuCfsQuota: true,
      CPUShares: true,
    },
    // Containers have no bridge network, so these are reported as available.
    ...{ IPv4Forwarding: true, BridgeNfIptables: true, BridgeNfIp6tables: true },
    Warnings: hosts
      .filter(({ state }) => state !== "ready")
      .map(
        ({ name, lastSeenAt }) => `WARNING: host ${name} is unreachable, last seen ${lastSeenAt}`,
      ),
  };
}

/** The value that all hosts share, or the list of their values. */
function valuesOf(hosts: readonly HostRecord[], valueOf: (host: HostRecord) => string): string {
  return [...new Set(hosts.map(valueOf))].join(", ");
}
