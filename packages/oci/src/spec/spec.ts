/** The OCI runtime's `config.json`, from a container's spec, its image and its host. Pure. */
import type { ContainerSpec } from "@podfleet/model/container/spec";
import { PodfleetError } from "@podfleet/model/errors";
import type { ExecSpec, TerminalSize } from "@podfleet/model/exec";
import type { ContainerId } from "@podfleet/model/ids";
import type { ImageConfig } from "@podfleet/model/image-config";

import { boundingCapabilities, capabilitySets } from "./capabilities.ts";
import type { HostLimits } from "./host-limits.ts";
import { containerNamespaces, maskedPaths, readonlyPaths } from "./isolation.ts";
import { containerMounts, type EtcFiles, initDestination, rootfsPropagation } from "./mounts.ts";
import type { ResolvedUser } from "./resolved-user.ts";
import { containerResources } from "./resources.ts";
import type { RuntimeDevice, RuntimeProcess, RuntimeRlimit, RuntimeSpec } from "./runtime-spec.ts";
import { seccompProfile, type SeccompTarget } from "./seccomp.ts";

export interface RuntimeSpecInput {
  readonly id: ContainerId;
  readonly spec: ContainerSpec;
  readonly image: ImageConfig;
  /** The mounted root filesystem. */
  readonly rootfs: string;
  readonly user: ResolvedUser;
  readonly host: HostLimits;
  /** Path below each cgroup hierarchy: `/podfleet/<host>/<id>`. */
  readonly cgroup: string;
  readonly etcFiles: EtcFiles;
  readonly seccompTarget: SeccompTarget;
  /** Path of the host's init program, for a container that is to have one. */
  readonly init?: string | undefined;
  /** The host's devices, for a privileged container. */
  readonly devices: readonly RuntimeDevice[];
  /** The size that the command's terminal starts with. */
  readonly terminalSize?: TerminalSize | undefined;
}

/**
 * Builds `config.json`.
 * @throws PodfleetError INVALID_INPUT when there is no command to run; UNSUPPORTED when a capability is asked for that
 * the agent does not have itself
 */
export function buildRuntimeSpec(input: RuntimeSpecInput): RuntimeSpec {
  const { spec, host } = input;
  const bounding = boundingCapabilities(spec, host.capabilities);
  return {
    ociVersion: "1.0.2",
    process: containerProcess(input),
    root: { path: input.rootfs, readonly: spec.readOnlyRoot },
    hostname: containerHostname(input.id, spec),
    mounts: containerMounts(spec, input.etcFiles, input.init),
    annotations: spec.annotations,
    linux: {
      cgroupsPath: input.cgroup,
      namespaces: containerNamespaces(spec, host).map((type) => ({ type })),
      resources: containerResources(spec, host),
      devices: spec.privileged ? input.devices : [],
      maskedPaths: spec.privileged ? [] : maskedPaths,
      readonlyPaths: spec.privileged ? [] : readonlyPaths,
      ...rootfsPropagation(spec.mounts),
      ...(spec.privileged || spec.seccomp === "unconfined"
        ? {}
        : { seccomp: seccompProfile(bounding, input.seccompTarget) }),
    },
  };
}

export type ProcessInput = Pick<
  RuntimeSpecInput,
  "id" | "spec" | "image" | "user" | "host" | "terminalSize"
>;

/** Builds the first process of a container, with the spec's command or the image's. */
function containerProcess(input: ProcessInput): RuntimeProcess {
  const { spec, image, user, host, terminalSize } = input;
  const bounding = boundingCapabilities(spec, host.capabilities);
  return {
    terminal: spec.tty,
    ...(terminalSize ? { consoleSize: terminalSize } : {}),
    user: { uid: user.uid, gid: user.gid, umask: 0o022, additionalGids: user.additionalGids },
    args: [...(spec.init ? [initDestination, "--"] : []), ...containerCommand(spec, image)],
    env: containerEnvironment(input),
    cwd: containerWorkdir(spec, image),
    capabilities: capabilitySets(spec, bounding, user),
    noNewPrivileges: spec.noNewPrivileges && !spec.privileged,
    rlimits: spec.rlimits.map((rlimit) => clampRlimit(rlimit, host)),
  };
}

/**
 * Builds a further process in a running container: like its first one, but for what `exec` says. TERM is set when either of them has a
 * terminal. The runtime itself applies the container's cgroup and seccomp filter to it.
 * @throws PodfleetError UNSUPPORTED when a capability is asked for that the agent does not have itself
 */
export function execProcess(input: ProcessInput, exec: ExecSpec): RuntimeProcess {
  const { spec } = input;
  const { privileged, tty } = exec;
  const like: ContainerSpec = {
    ...spec,
    init: false,
    entrypoint: [],
    command: exec.command,
    tty: spec.tty || tty,
    env: { ...spec.env, ...exec.env },
    workdir: exec.workdir ?? spec.workdir,
    privileged: spec.privileged || privileged,
    capabilitiesAdd: [...spec.capabilitiesAdd, ...exec.capabilitiesAdd],
  };
  const { terminalSize } = exec;
  return { ...containerProcess({ ...input, spec: like, terminalSize }), terminal: tty };
}

export function containerHostname(id: ContainerId, spec: ContainerSpec): string {
  return spec.hostname ?? id.slice(0, 12);
}

/** Joins entrypoint and command. An entrypoint in the spec drops the image's command too, as in podman. */
export function containerCommand(spec: ContainerSpec, image: ImageConfig): string[] {
  const entrypoint = spec.entrypoint ?? image.entrypoint ?? [];
  const command = spec.command ?? (spec.entrypoint ? [] : (image.command ?? []));
  const args = [...entrypoint, ...command];
  if (args.length > 0) return args;
  throw new PodfleetError(
    "INVALID_INPUT",
    `Cannot run image "${spec.image}": neither the spec nor the image names a command`,
    { details: { field: "command" } },
  );
}

export function containerWorkdir(spec: ContainerSpec, image: ImageConfig): string {
  return spec.workdir ?? image.workdir ?? "/";
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function containerEnvironment({ id, spec, image, user }: ProcessInput): string[] {
  const env = new Map<string, string>([
    ["PATH", defaultPath],
    ["HOME", user.home],
    ["HOSTNAME", containerHostname(id, spec)],
    ...(spec.tty ? [["TERM", "xterm"] as const] : []),
  ]);
  for (const entry of image.env) {
    const equals = entry.indexOf("=");
    if (equals > 0) env.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  for (const [name, value] of Object.entries(spec.env)) env.set(name, value);
  return Array.from(env, ([name, value]) => `${name}=${value}`);
}

const unlimited = 2n ** 64n - 1n;

/** Bounds the limit by the agent's own hard limit, above which the runtime could not set it; -1 means unlimited. */
function clampRlimit(rlimit: ContainerSpec["rlimits"][number], host: HostLimits): RuntimeRlimit {
  const ceiling = BigInt(host.hardLimits[rlimit.type] ?? unlimited);
  const clamp = (value: number): bigint => {
    const wanted = value < 0 ? unlimited : BigInt(value);
    return wanted < ceiling ? wanted : ceiling;
  };
  const type = `RLIMIT_${rlimit.type.toUpperCase()}`;
  return { type, soft: clamp(rlimit.soft), hard: clamp(rlimit.hard) };
}
