import {
  configOf,
  healthOf,
  hostConfigOf,
  mountOf,
} from "@podfleet/model/container/inspect-fields";
import type { ContainerInspect } from "@podfleet/model/container/record";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import type { ExecId } from "@podfleet/model/ids";

import { dockerState } from "./container-state.ts";

/** Go's zero time: how Docker writes a time that is not set. */
const noTime = "0001-01-01T00:00:00Z";

/** `GET /containers/{id}/json`; `Host`, `Source` and `AsOf` say where and when it was read. */
export function inspectedContainer(container: ContainerInspect, execIds: readonly ExecId[]) {
  const { spec, paths } = container;
  const [path = "", ...args] = [...(spec.entrypoint ?? []), ...(spec.command ?? [])];
  return {
    Id: container.id,
    Created: container.createdAt,
    Path: path,
    Args: args,
    State: inspectedState(container),
    Image: container.imageId ?? "",
    ResolvConfPath: "",
    HostnamePath: "",
    HostsPath: "",
    LogPath: paths?.journal ?? "",
    Name: `/${container.name}`,
    RestartCount: container.restartCount ?? 0,
    Driver: "overlay",
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: "",
    ExecIDs: execIds.length === 0 ? null : execIds,
    HostConfig: inspectedHostConfig(spec),
    GraphDriver: { Name: "overlay", Data: paths?.rootfs ? { MergedDir: paths.rootfs } : null },
    Mounts: spec.mounts.map((mount) => ({ ...mountOf(mount, ""), Mode: "" })),
    Config: inspectedConfig(container),
    NetworkSettings: { Ports: {}, Networks: { [spec.networkMode]: {} } },
    Host: { Id: container.host.id, Name: container.host.name, State: container.host.state },
    Source: container.source,
    AsOf: container.asOf,
  };
}

function inspectedState(container: ContainerInspect) {
  const status = dockerState(container);
  return {
    Status: status,
    // Docker counts a paused container as running.
    Running: status === "running" || status === "paused",
    Paused: status === "paused",
    Restarting: status === "restarting",
    OOMKilled: container.oomKilled ?? false,
    Dead: false,
    Pid: container.pid ?? 0,
    ExitCode: container.exitCode ?? 0,
    ExitUnknown: container.exitUnknown ?? false,
    Error: container.error ?? "",
    StartedAt: container.startedAt ?? noTime,
    FinishedAt: container.finishedAt ?? noTime,
    // dockerd's exit code for a healthcheck that could not be run.
    ...(container.health ? { Health: healthOf(container, -1) } : {}),
  };
}

function inspectedConfig(container: ContainerInspect) {
  const { spec } = container;
  return {
    ...configOf(container),
    Domainname: "",
    AttachStdin: spec.stdin,
    AttachStdout: true,
    AttachStderr: true,
    // StdinOnce: the end of one client's input ends the command's input.
    StdinOnce: spec.stdin && !spec.tty,
    Volumes: null,
    OnBuild: null,
    ...(spec.stopSignal === undefined ? {} : { StopSignal: String(spec.stopSignal) }),
    ...(spec.healthcheck ? { Healthcheck: inspectedHealthcheck(spec.healthcheck) } : {}),
  };
}

const nanosPerMs = 1_000_000;

function inspectedHealthcheck(check: NonNullable<ContainerSpec["healthcheck"]>) {
  return {
    Test: ["CMD", ...check.command],
    Interval: check.intervalMs * nanosPerMs,
    Timeout: check.timeoutMs * nanosPerMs,
    StartPeriod: check.startPeriodMs * nanosPerMs,
    Retries: check.retries,
  };
}

function inspectedHostConfig(spec: ContainerSpec) {
  return {
    Binds: spec.mounts.flatMap((mount) =>
      mount.type === "bind"
        ? [`${mount.source}:${mount.destination}:${mount.readOnly ? "ro" : "rw"}`]
        : [],
    ),
    LogConfig: { Type: "k8s-file", Config: {} },
    ...hostConfigOf(spec),
  };
}
