import { z } from "zod";

/** Every Linux capability (capabilities(7)), in kernel order. */
export const linuxCapabilities = [
  "CHOWN",
  "DAC_OVERRIDE",
  "DAC_READ_SEARCH",
  "FOWNER",
  "FSETID",
  "KILL",
  "SETGID",
  "SETUID",
  "SETPCAP",
  "LINUX_IMMUTABLE",
  "NET_BIND_SERVICE",
  "NET_BROADCAST",
  "NET_ADMIN",
  "NET_RAW",
  "IPC_LOCK",
  "IPC_OWNER",
  "SYS_MODULE",
  "SYS_RAWIO",
  "SYS_CHROOT",
  "SYS_PTRACE",
  "SYS_PACCT",
  "SYS_ADMIN",
  "SYS_BOOT",
  "SYS_NICE",
  "SYS_RESOURCE",
  "SYS_TIME",
  "SYS_TTY_CONFIG",
  "MKNOD",
  "LEASE",
  "AUDIT_WRITE",
  "AUDIT_CONTROL",
  "SETFCAP",
  "MAC_OVERRIDE",
  "MAC_ADMIN",
  "SYSLOG",
  "WAKE_ALARM",
  "BLOCK_SUSPEND",
  "AUDIT_READ",
  "PERFMON",
  "BPF",
  "CHECKPOINT_RESTORE",
] as const;

/** podman's default set for a container that is not privileged. */
export const defaultCapabilities = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
] as const satisfies readonly (typeof linuxCapabilities)[number][];

/** Accepts `NET_ADMIN`, `net_admin`, `CAP_NET_ADMIN` and `ALL`; yields the name without its prefix. */
export const capabilitySchema = z
  .string()
  .transform((name) => name.toUpperCase().replace(/^CAP_/, ""))
  .pipe(
    z.enum(["ALL", ...linuxCapabilities], {
      error: (issue) =>
        `unknown capability ${JSON.stringify(issue.input)}: must be "ALL" or one of capabilities(7)`,
    }),
  );
export type LinuxCapability = z.infer<typeof capabilitySchema>;
