/** Fields that `podman inspect` and Docker's `GET /containers/{id}/json` have in common. */
import type { ContainerInspect } from "./record.ts";
import type { ContainerSpec } from "./spec.ts";

/** `HostConfig` with Docker's names of ulimits, which podman writes as `RLIMIT_NOFILE`. */
export function hostConfigOf(spec: ContainerSpec) {
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
    Ulimits: spec.rlimits.map(({ type, soft, hard }) => ({ Name: type, Soft: soft, Hard: hard })),
  };
}

/** `Config` without the healthcheck and the stop signal. */
export function configOf({ id, spec }: Pick<ContainerInspect, "id" | "spec">) {
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
    StopTimeout: spec.stopTimeoutSeconds,
  };
}

/** `State.Health`; `unknownExitCode` stands for a check that could not be run or did not end in time. */
export function healthOf<Unknown>(
  { health, healthLog }: Pick<ContainerInspect, "health" | "healthLog">,
  unknownExitCode: Unknown,
) {
  return {
    Status: health,
    FailingStreak: healthLog?.failingStreak ?? 0,
    Log: (healthLog?.results ?? []).map(({ startedAt, finishedAt, exitCode, output }) => ({
      Start: startedAt,
      End: finishedAt,
      ExitCode: exitCode ?? unknownExitCode,
      Output: output,
    })),
  };
}

/** An element of `Mounts`; `tmpfsSource` stands for the source that a tmpfs does not have. */
export function mountOf(mount: ContainerSpec["mounts"][number], tmpfsSource: string) {
  return {
    Type: mount.type,
    Source: mount.type === "bind" ? mount.source : tmpfsSource,
    Destination: mount.destination,
    RW: !mount.readOnly,
    Propagation: mount.type === "bind" ? mount.propagation : "",
  };
}
