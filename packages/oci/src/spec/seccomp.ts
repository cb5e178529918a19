/** The runtime-default seccomp profile for a container with given capabilities. */
import type { linuxCapabilities } from "@podfleet/model/container/capability";
import { PodfleetError } from "@podfleet/model/errors";

import type { RuntimeSeccomp, RuntimeSyscallRule } from "./runtime-spec.ts";
import {
  AF_VSOCK,
  allowedByCapability,
  allowedCalls,
  architectures,
  namespaceFlags,
  personalities,
} from "./seccomp-rules.ts";

const EPERM = 1;
const ENOSYS = 38;

export interface SeccompTarget {
  /** The architecture by Node's name for it: `x64`. */
  readonly architecture: string;
  /** Whether programs of the machine's older architecture may run, under the same rules; otherwise they are killed. */
  readonly compatible: boolean;
}

/** @throws PodfleetError UNSUPPORTED for an architecture without a profile */
export function seccompProfile(
  capabilities: readonly (typeof linuxCapabilities)[number][],
  { architecture, compatible }: SeccompTarget,
): RuntimeSeccomp {
  const machine = architectures[architecture];
  if (machine === undefined) {
    throw new PodfleetError(
      "UNSUPPORTED",
      `Cannot filter system calls: there is no seccomp profile for architecture "${architecture}"`,
    );
  }
  const privileged = capabilities.flatMap((name) => allowedByCapability[name] ?? []);
  const names = new Set([...allowedCalls, ...machine.calls, ...privileged]);
  const older = compatible && machine.compatible ? [machine.compatible.name] : [];
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM,
    architectures: [machine.name, ...older],
    syscalls: [
      { names: [...names].toSorted(), action: "SCMP_ACT_ALLOW" },
      ...conditionalRules,
      ...(capabilities.includes("SYS_ADMIN") ? [] : cloneRules),
    ],
  };
}

const conditionalRules: readonly RuntimeSyscallRule[] = [
  {
    names: ["socket"],
    action: "SCMP_ACT_ALLOW",
    args: [{ index: 0, value: AF_VSOCK, op: "SCMP_CMP_NE" }],
  },
  ...personalities.map((value) => ({
    names: ["personality"],
    action: "SCMP_ACT_ALLOW",
    args: [{ index: 0, value, op: "SCMP_CMP_EQ" }],
  })),
];

/**
 * Rules that allow new threads and processes, but no new namespaces. A filter cannot read clone3's flags, which are behind a pointer; ENOSYS
 * makes libraries fall back to clone.
 */
const cloneRules: readonly RuntimeSyscallRule[] = [
  {
    names: ["clone"],
    action: "SCMP_ACT_ALLOW",
    args: [{ index: 0, value: namespaceFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
  },
  { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
];
