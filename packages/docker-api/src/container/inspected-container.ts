import type { ContainerInspect } from "@podfleet/model/container/record";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import type { ExecId } from "@podfleet/model/ids";

import { dockerState } from "./container-state.ts";

/** How Go writes a time that is not there. */
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
    Mounts: spec.mounts.map(inspectedMount),
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
    ...(container.health ? { Health: inspectedHealth(container) } : {}),
  };
}

function inspectedHealth({ health, healthLog }: ContainerInspect) {
  return {
    Status: health,
    FailingStreak: healthLog?.failingStreak ?? 0,
    Log: (healthLog?.results ?? []).map(({ startedAt, finishedAt, exitCode, output }) => ({
      Start: startedAt,
      End: finishedAt,
      // dockerd's for a check that could not be run.
      ExitCode: exitCode ?? -1,
      Output: output,
    })),
  };
}

function inspectedConfig({ id, spec }: ContainerInspect) {
  return {
    Hostname: spec.hostname ?? id.slice(0, 12),
    Domainname: "",
    User: spec.user ?? "",
    AttachStdin: spec.stdin,
    AttachStdout: true,
    AttachStderr: true,
    Tty: spec.tty,
    OpenStdin: spec.stdin,
    // The end of one client's input is the end of the command's.
    StdinOnce: spec.stdin && !spec.tty,
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    Cmd: spec.command ?? null,
    Image: spec.image,
    Volumes: null,
    WorkingDir: spec.workdir ?? "",
    Entrypoint: spec.entrypoint ?? null,
    OnBuild: null,
    Labels: spec.labels,
    ...(spec.stopSignal === undefined ? {} : { StopSignal: String(spec.stopSignal) }),
    StopTimeout: spec.stopTimeoutSeconds,
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
  const { resources, restartPolicy } = spec;
  return {
    Binds: spec.mounts.flatMap((mount) =>
      mount.type === "bind"
        ? [`${mount.source}:${mount.destination}:${mount.readOnly ? "ro" : "rw"}`]
        : [],
    ),
    LogConfig: { Type: "k8s-file", Config: {} },
    NetworkMode: spec.networkMode,
    RestartPolicy: {
      Name: restartPolicy.name,
      MaximumRetryCount: restartPolicy.name === "on-failure" ? (restartPolicy.retriesMax ?? 0) : 0,
    },
    AutoRemove: spec.autoRemove,
    Init: spec.init,
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
    Ulimits: spec.rlimits.map(({ type, soft, hard }) => ({ Name: type, Soft: soft, Hard: hard })),
  };
}

function inspectedMount(mount: ContainerSpec["mounts"][number]) {
  return {
    Type: mount.type,
    Source: mount.type === "bind" ? mount.source : "",
    Destination: mount.destination,
    Mode: "",
    RW: !mount.readOnly,
    Propagation: mount.type === "bind" ? mount.propagation : "",
  };
}
