/** Records as podman's `--format json` prints them, so that scripts written for podman keep working. */
import { humanAge } from "@podfleet/base/human-duration";
import {
  configOf,
  healthOf,
  hostConfigOf,
  mountOf,
} from "@podfleet/model/container/inspect-fields";
import type { ContainerInspect, ContainerSummary } from "@podfleet/model/container/record";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import type { EventRecord } from "@podfleet/model/event";
import type { ImageRecord } from "@podfleet/model/image";

import { containerStatus } from "./container-status.ts";

/** An element of `podman ps --format json`, and the host. */
export function listedContainer(container: ContainerSummary, nowMs: number) {
  return {
    Command: container.command,
    Created: unixSeconds(container.createdAt),
    CreatedAt: humanAge(container.createdAt, nowMs),
    Exited: container.state === "exited" || container.state === "stopped",
    ExitedAt: unixSeconds(container.finishedAt),
    ExitCode: container.exitCode ?? null,
    Host: container.host.name,
    HostState: container.host.state,
    Id: container.id,
    Image: container.image,
    ImageID: container.imageId ?? "",
    Labels: container.labels,
    Names: [container.name],
    ObservedAt: container.observedAt ?? null,
    Pid: container.pid ?? 0,
    Restarts: container.restartCount ?? 0,
    StartedAt: unixSeconds(container.startedAt),
    State: container.state,
    Status: containerStatus(container, nowMs),
  };
}

/** An element of `podman inspect`; `Host`, `Source` and `AsOf` say where and when it was read. */
export function inspectedContainer(container: ContainerInspect) {
  const { spec, paths } = container;
  const argv = [...(spec.entrypoint ?? []), ...(spec.command ?? [])];
  return {
    Id: container.id,
    Created: container.createdAt,
    Path: argv[0] ?? "",
    Args: argv.slice(1),
    State: {
      Status: container.state,
      Running: container.state === "running",
      Paused: container.state === "paused",
      OOMKilled: container.oomKilled ?? false,
      Pid: container.pid ?? 0,
      ConmonPid: container.monitorPid ?? 0,
      ExitCode: container.exitUnknown ? null : (container.exitCode ?? 0),
      ExitUnknown: container.exitUnknown ?? false,
      Error: container.error ?? "",
      StartedAt: container.startedAt ?? null,
      FinishedAt: container.finishedAt ?? null,
      StoppedByUser: container.stoppedByUser ?? false,
      ...inspectedCheckpoint(container),
      ...(container.health ? { Health: healthOf(container, null) } : {}),
    },
    Image: container.imageId ?? "",
    ImageName: container.image,
    Rootfs: paths?.rootfs ?? "",
    BundlePath: paths?.bundle ?? "",
    LogPath: paths?.journal ?? "",
    Name: container.name,
    RestartCount: container.restartCount ?? 0,
    Run: container.run ?? 0,
    Revision: container.revision,
    Host: { Id: container.host.id, Name: container.host.name, State: container.host.state },
    Source: container.source,
    AsOf: container.asOf,
    Dependencies: spec.dependencies,
    Mounts: spec.mounts.map((mount) => mountOf(mount, "tmpfs")),
    Config: inspectedConfig(container),
    HostConfig: inspectedHostConfig(spec),
    Placement: spec.placement,
  };
}

function inspectedCheckpoint({ state, run, checkpoint, restoredRun, paths }: ContainerInspect) {
  const hasEnded = state === "stopped" || state === "exited";
  return {
    Checkpointed: hasEnded && checkpoint?.endedRun === run,
    CheckpointedAt: checkpoint?.at ?? null,
    CheckpointPath: paths?.checkpoint ?? "",
    CheckpointLog: paths?.checkpointLog ?? "",
    Restored: restoredRun !== undefined && restoredRun === run,
    RestoreLog: paths?.restoreLog ?? "",
  };
}

function inspectedConfig(container: ContainerInspect) {
  const { annotations, stopSignal, healthcheck } = container.spec;
  return {
    ...configOf(container),
    Annotations: annotations,
    StopSignal: stopSignal ?? null,
    ...(healthcheck ? { Healthcheck: healthcheck } : {}),
  };
}

function inspectedHostConfig(spec: ContainerSpec) {
  const config = hostConfigOf(spec);
  const ulimits = config.Ulimits.map((ulimit) => ({
    ...ulimit,
    Name: `RLIMIT_${ulimit.Name.toUpperCase()}`,
  }));
  return { ...config, Ulimits: ulimits };
}

/** An element of `podman images --format json`, and the hosts. */
export function listedImage(image: ImageRecord) {
  return {
    Id: image.id.replace(/^sha256:/, ""),
    Names: image.names,
    Size: image.sizeBytes,
    Created: unixSeconds(image.createdAt),
    CreatedAt: image.createdAt ?? null,
    Layers: image.layers,
    Hosts: image.hosts,
  };
}

/** A line of `podman events --format json`, with the event's place in the fleet's log. */
export function listedEvent(event: EventRecord) {
  const [type, status] = event.type.split(".");
  return {
    ID: event.container?.id ?? "",
    Name: event.container?.name ?? "",
    Type: type,
    Status: status,
    Time: event.time,
    Host: event.host.name,
    Position: event.position,
    OperationID: event.operationId ?? "",
    Attributes: event.attributes,
  };
}

function unixSeconds(time: string | undefined): number {
  return time === undefined ? 0 : Math.floor(Date.parse(time) / 1000);
}
