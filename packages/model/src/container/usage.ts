/** What a running container's processes are, and what they use. */
import { z } from "zod";

import { containerIdSchema } from "../ids.ts";

const count = z.number().int().min(0);

export const containerProcessSchema = z.object({
  /** In the container's own pid namespace. */
  pid: count,
  /** 0 for one whose parent is outside the container. */
  ppid: count,
  hostPid: count,
  uid: count,
  /** User name by the container's /etc/passwd; the number when it has none. */
  user: z.string(),
  gid: count,
  /** proc_pid_stat(5): `R`, `S`, `D`, `Z`, `T`... */
  state: z.string(),
  nice: z.number().int(),
  threads: count,
  virtualBytes: count,
  residentBytes: count,
  /** `pts/0`; absent without a terminal. */
  tty: z.string().optional(),
  /** User and system time. */
  cpuMs: count,
  elapsedMs: count,
  /** Name of the program. */
  program: z.string(),
  /** The command line; empty for a process that has ended. */
  arguments: z.array(z.string()),
});
export type ContainerProcess = z.infer<typeof containerProcessSchema>;

/** Counters grow from the start of the run on. */
export const containerUsageSchema = z.object({
  at: z.iso.datetime(),
  startedAt: z.iso.datetime().optional(),
  cpuNanos: count,
  /** Without what the kernel can drop: the inactive part of the page cache. */
  memoryBytes: count,
  /** The container's own limit, or the host's memory. */
  memoryLimitBytes: count,
  pids: count,
  /** Absent without a limit. */
  pidsLimit: count.optional(),
  blockReadBytes: count,
  blockWriteBytes: count,
  /** Sums over all interfaces but the loopback; absent without a network of its own. */
  network: z.object({ receivedBytes: count, sentBytes: count }).optional(),
});
export type ContainerUsage = z.infer<typeof containerUsageSchema>;

/** What one container uses, and its share of a CPU: 100 is one CPU. */
export const containerStatsSchema = z.object({
  id: containerIdSchema,
  name: z.string(),
  /** Name of its host. */
  host: z.string(),
  usage: containerUsageSchema,
  /** Since the last sample; in the first sample, since the start of the run. */
  cpuPercent: z.number(),
  /** Since the start of the run. */
  cpuPercentAverage: z.number(),
});
export type ContainerStats = z.infer<typeof containerStatsSchema>;
