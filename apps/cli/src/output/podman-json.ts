/** `--format json` of the verbs that podman has, under podman's names, so that scripts written for it go on working. */
import { humanAge } from "@podfleet/base/human-duration";
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
      ...(container.health ? { Health: inspectedHealth(container) } : {}),
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
    Mounts: spec.mounts.map(inspectedMount),
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

function inspectedHealth({ health, healthLog }: ContainerInspect) {
  return {
    Status: health,
    FailingStreak: healthLog?.failingStreak ?? 0,
    Log: (healthLog?.results ?? []).map(({ startedAt, finishedAt, exitCode, output }) => ({
      Start: startedAt,
      End: finishedAt,
      ExitCode: exitCode ?? null,
      Output: output,
    })),
  };
}

function inspectedConfig({ id, spec }: ContainerInspect) {
  return {
    Hostname: spec.hostname ?? id.slice(0, 12),
    User: spec.user ?? "",
    Tty: spec.tty,
    OpenStdin: spec.stdin,
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    Entrypoint: spec.entrypoint ?? null,
    Cmd: spec.command ?? null,
    Image: spec.image,
    WorkingDir: spec.workdir ?? "",
    Labels: spec.labels,
    Annotations: spec.annotations,
    StopSignal: spec.stopSignal ?? null,
    StopTimeout: spec.stopTimeoutSeconds,
    ...(spec.healthcheck ? { Healthcheck: spec.healthcheck } : {}),
  };
}

function inspectedHostConfig(spec: ContainerSpec) {
  const { resources, restartPolicy } = spec;
  return {
    AutoRemove: spec.autoRemove,
    Init: spec.init,
    NetworkMode: spec.networkMode,
    RestartPolicy: {
      Name: restartPolicy.name,
      MaximumRetryCount: restartPolicy.name === "on-failure" ? (restartPolicy.retriesMax ?? 0) : 0,
    },
    CapAdd: spec.capabilitiesAdd.map((name) => `CAP_${name}`),
    CapDrop: spec.capabilitiesDrop.map((name) => `CAP_${name}`),
    GroupAdd: spec.groups,
    Privileged: spec.privileged,
    ReadonlyRootfs: spec.readOnlyRoot,
    SecurityOpt: [
      ...(spec.seccomp === "unconfined" ? ["seccomp=unconfined"] : []),
      ...(spec.noNewPrivileges ? ["no-new-privileges"] : []),
    ],
    ShmSize: spec.shmSizeBytes,
    Memory: resources.memoryBytes ?? 0,
    NanoCpus: Math.round((resources.cpus ?? 0) * 1e9),
    CpuShares: resources.cpuShares ?? 0,
    PidsLimit: resources.pidsLimit ?? 0,
    Ulimits: spec.rlimits.map(({ type, soft, hard }) => ({
      Name: `RLIMIT_${type.toUpperCase()}`,
      Soft: soft,
      Hard: hard,
    })),
  };
}

function inspectedMount(mount: ContainerSpec["mounts"][number]) {
  return {
    Type: mount.type,
    Source: mount.type === "bind" ? mount.source : "tmpfs",
    Destination: mount.destination,
    RW: !mount.readOnly,
    Propagation: mount.type === "bind" ? mount.propagation : "",
  };
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
