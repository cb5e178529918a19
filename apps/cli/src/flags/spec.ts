/** Makes a container's spec from the flags of `run` and `create`, the files they name and the caller's environment. */
import { containerSpecSchema, networkModes } from "@podfleet/model/container/spec";
import type { ContainerSpecInput } from "@podfleet/model/container/spec";
import { PodfleetError } from "@podfleet/model/errors";
import { placementStrategies } from "@podfleet/model/placement";

import type { ContainerFlags } from "./container-flags.ts";
import {
  parseEntrypoint,
  parseRestartPolicy,
  parseSecurityOption,
  parseUlimit,
} from "./container-values.ts";
import { parseEnvironment, parseLabels } from "./environment.ts";
import type { Environment } from "./environment.ts";
import { healthcheckOf } from "./healthcheck.ts";
import { parseMount, parseTmpfs, parseVolume } from "./mount.ts";
import { parseSize } from "./quantities.ts";
import { parseResources } from "./resources.ts";
import { flagError, parseChoice, parseCount } from "./values.ts";

export interface SpecSources {
  readonly image: string;
  readonly command: readonly string[];
  readonly flags: ContainerFlags;
  /** Entries of the files in `--env-file` and `--label-file`, in order. */
  readonly fileEnv: readonly string[];
  readonly fileLabels: readonly string[];
  /** Variables of the caller's process, for `--env NAME`. */
  readonly environment: Environment;
}

/**
 * Makes the spec without `dependencies`: the names in `--requires` are not resolved here.
 * @throws PodfleetError INVALID_INPUT that names the flag, its value and what is allowed
 */
export function specFromFlags(sources: SpecSources): ContainerSpecInput {
  const { image, command, flags, environment } = sources;
  const restartPolicy = parseRestartPolicy(flags.restart ?? "");
  if (flags.rm && restartPolicy.name !== "no") {
    throw flagError("--restart", flags.restart ?? "", "cannot be combined with --rm");
  }
  const healthcheck = healthcheckOf(flags);
  const spec: ContainerSpecInput = {
    image,
    ...(command.length > 0 ? { command: [...command] } : {}),
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...(flags.entrypoint === undefined ? {} : { entrypoint: parseEntrypoint(flags.entrypoint) }),
    ...(flags.user === undefined ? {} : { user: flags.user }),
    ...(flags.workdir === undefined ? {} : { workdir: flags.workdir }),
    ...(flags.hostname === undefined ? {} : { hostname: flags.hostname }),
    ...(flags.stopSignal === undefined ? {} : { stopSignal: flags.stopSignal }),
    ...(healthcheck ? { healthcheck } : {}),
    env: parseEnvironment([...sources.fileEnv, ...flags.env], environment),
    labels: parseLabels("--label", [...sources.fileLabels, ...flags.label]),
    annotations: parseLabels("--annotation", flags.annotation),
    groups: [...flags.groupAdd],
    tty: flags.tty,
    stdin: flags.interactive,
    autoRemove: flags.rm,
    init: flags.init,
    privileged: flags.privileged,
    readOnlyRoot: flags.readOnly,
    resources: resourcesOf(flags),
    rlimits: flags.ulimit.map(parseUlimit),
    mounts: mountsOf(flags),
    restartPolicy,
    capabilitiesAdd: listed(flags.capAdd),
    capabilitiesDrop: listed(flags.capDrop),
    placement: placementOf(flags),
  };
  Object.assign(spec, ...flags.securityOpt.map(parseSecurityOption));
  if (flags.stopTimeout !== undefined) {
    spec.stopTimeoutSeconds = parseCount("--stop-timeout", flags.stopTimeout);
  }
  if (flags.network !== undefined) {
    spec.networkMode = parseChoice("--network", flags.network, networkModes);
  }
  if (flags.shmSize !== undefined) spec.shmSizeBytes = parseSize("--shm-size", flags.shmSize);
  assertAllowed(spec, flags);
  return spec;
}

type ResourcesInput = NonNullable<ContainerSpecInput["resources"]>;

function resourcesOf(flags: ContainerFlags): ResourcesInput {
  const limits = Object.entries(parseResources(flags)).filter(([, value]) => value !== 0);
  return Object.fromEntries(limits);
}

function mountsOf(flags: ContainerFlags): NonNullable<ContainerSpecInput["mounts"]> {
  const mounts = [
    ...flags.volume.map(parseVolume),
    ...flags.mount.map(parseMount),
    ...flags.tmpfs.map(parseTmpfs),
  ];
  const seen = new Set<string>();
  for (const { destination } of mounts) {
    if (seen.has(destination)) {
      throw flagError(
        "--volume, --mount or --tmpfs",
        destination,
        "must not be a destination twice",
      );
    }
    seen.add(destination);
  }
  return mounts;
}

function placementOf(flags: ContainerFlags): NonNullable<ContainerSpecInput["placement"]> {
  return {
    ...(flags.host === undefined ? {} : { host: flags.host }),
    ...(flags.strategy === undefined
      ? {}
      : { strategy: parseChoice("--strategy", flags.strategy, placementStrategies) }),
    constraints: [...flags.constraint],
  };
}

function listed(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(","));
}

/** Flags by the field of the spec that they set, for errors of the spec's schema. */
const flagOf: Readonly<Record<string, string>> = {
  image: "image",
  name: "--name",
  user: "--user",
  workdir: "--workdir",
  hostname: "--hostname",
  env: "--env",
  labels: "--label",
  annotations: "--annotation",
  groups: "--group-add",
  stopSignal: "--stop-signal",
  stopTimeoutSeconds: "--stop-timeout",
  shmSizeBytes: "--shm-size",
  rlimits: "--ulimit",
  mounts: "--volume, --mount or --tmpfs",
  capabilitiesAdd: "--cap-add",
  capabilitiesDrop: "--cap-drop",
  entrypoint: "--entrypoint",
  command: "command",
  "restartPolicy.retriesMax": "--restart",
  "resources.cpus": "--cpus",
  "resources.memoryBytes": "--memory",
  "resources.pidsLimit": "--pids-limit",
  "resources.cpuShares": "--cpu-shares",
  "placement.host": "--host",
  "placement.constraints": "--constraint",
  "healthcheck.command": "--health-cmd",
  "healthcheck.intervalMs": "--health-interval",
  "healthcheck.timeoutMs": "--health-timeout",
  "healthcheck.retries": "--health-retries",
  "healthcheck.startPeriodMs": "--health-start-period",
};

/** Checks the ranges and patterns of the spec's schema; the error names the flag. */
function assertAllowed(spec: ContainerSpecInput, flags: ContainerFlags): void {
  const issue = containerSpecSchema.safeParse(spec).error?.issues[0];
  if (!issue) return;
  const path = issue.path.map(String);
  const flag = flagOf[path.slice(0, 2).join(".")] ?? flagOf[path[0] ?? ""];
  const value = path.reduce<unknown>(
    (within, key) => (within as Readonly<Record<string, unknown>> | undefined)?.[key],
    spec,
  );
  if (flag === undefined) {
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot use the flags: ${path.join(".")} ${issue.message}`,
    );
  }
  const written =
    writtenAs(flag, flags) ?? (typeof value === "string" ? value : JSON.stringify(value));
  throw flagError(flag, written, issue.message);
}

/** @returns the value as the caller wrote it, for a flag with a single value */
function writtenAs(flag: string, flags: ContainerFlags): string | undefined {
  const key = flag
    .replace(/^--/, "")
    .replace(/-(.)/g, (_match, letter: string) => letter.toUpperCase());
  const value = (flags as unknown as Readonly<Record<string, unknown>>)[key];
  return typeof value === "string" ? value : undefined;
}
