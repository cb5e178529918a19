import { expect, test } from "vitest";

import { seccompProfile } from "./seccomp.ts";

const x64 = { architecture: "x64", compatible: false };

function allowed(capabilities: Parameters<typeof seccompProfile>[0]): ReadonlySet<string> {
  const rules = seccompProfile(capabilities, x64).syscalls;
  const unconditional = rules.filter((rule) => rule.action === "SCMP_ACT_ALLOW" && !rule.args);
  return new Set(unconditional.flatMap((rule) => rule.names));
}

test("what is not allowed fails with EPERM", () => {
  const profile = seccompProfile([], x64);
  expect(profile.defaultAction).toBe("SCMP_ACT_ERRNO");
  expect(profile.defaultErrnoRet).toBe(1);
});

test.each(["read", "openat", "execve", "futex", "clock_gettime", "arch_prctl", "ptrace"])(
  "%s is allowed to each container",
  (call) => {
    expect(allowed([]).has(call)).toBe(true);
  },
);

test.each([
  "mount",
  "unshare",
  "setns",
  "bpf",
  "keyctl",
  "kexec_load",
  "io_uring_setup",
  "userfaultfd",
])("%s is not", (call) => {
  expect(allowed(["CHOWN", "SYS_CHROOT"]).has(call)).toBe(false);
});

test.each([
  ["SYS_ADMIN", "mount"],
  ["SYS_ADMIN", "clone3"],
  ["SYS_CHROOT", "chroot"],
  ["SYS_TIME", "clock_settime"],
  ["SYSLOG", "syslog"],
] as const)("%s allows %s", (capability, call) => {
  expect(allowed([capability]).has(call)).toBe(true);
  expect(allowed([]).has(call)).toBe(false);
});

test("clone may not make namespaces, and clone3 seems not to exist, unless SYS_ADMIN is held", () => {
  const rules = seccompProfile([], x64).syscalls;
  const clone = rules.find((rule) => rule.names.includes("clone"));
  expect(clone?.args?.[0]).toMatchObject({ value: 0x7e02_0000, op: "SCMP_CMP_MASKED_EQ" });
  const clone3 = rules.find((rule) => rule.names.includes("clone3"));
  expect(clone3).toEqual({ names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 });
  expect(allowed(["SYS_ADMIN"]).has("clone")).toBe(true);
});

test("an architecture without a profile is refused, not left unfiltered", () => {
  expect(() => seccompProfile([], { architecture: "mips", compatible: false })).toThrow(
    'no seccomp profile for architecture "mips"',
  );
});

test("programs of the older architecture are filtered too where an image has them, and else killed", () => {
  const architecturesOf = (compatible: boolean): readonly string[] =>
    seccompProfile([], { architecture: "x64", compatible }).architectures;
  expect(architecturesOf(false)).toEqual(["SCMP_ARCH_X86_64"]);
  expect(architecturesOf(true)).toEqual(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]);
});
