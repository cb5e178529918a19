import { z } from "zod";

/**
 * What a container may use at most, and what the planner reserves for it on its host. A container without a limit
 * reserves nothing.
 */
export const resourcesSchema = z.strictObject({
  /** CPUs as a decimal: 1.5 is one and a half. */
  cpus: z
    .number()
    .min(0.001, "must be at least 0.001")
    .max(8192, "must be at most 8192")
    .optional(),
  /** Memory limit in bytes; the kernel kills the container's processes above it. */
  memoryBytes: z
    .number()
    .int("must be a whole number of bytes")
    .min(6 * 1024 * 1024, "must be at least 6291456 (6 MiB)")
    .optional(),
  /** Processes and threads at most. */
  pidsLimit: z.number().int().min(1, "must be at least 1").max(4_194_304).optional(),
  /** Relative CPU weight, 2 to 262144 (cgroup v1 cpu.shares). */
  cpuShares: z.number().int().min(2, "must be at least 2").max(262_144).optional(),
});
export type Resources = z.infer<typeof resourcesSchema>;

const { cpus, memoryBytes, pidsLimit, cpuShares } = resourcesSchema.shape;

/** What `update` may change: null takes a limit away, what is absent stays. */
export const resourceChangesSchema = z.strictObject({
  cpus: cpus.nullable(),
  memoryBytes: memoryBytes.nullable(),
  pidsLimit: pidsLimit.nullable(),
  cpuShares: cpuShares.nullable(),
});
export type ResourceChanges = z.infer<typeof resourceChangesSchema>;

export function changeResources(resources: Resources, changes: ResourceChanges): Resources {
  const entries = Object.entries({ ...resources, ...changes });
  return Object.fromEntries(entries.filter(([, value]) => value !== null && value !== undefined));
}

/** What a host has to give, or what is taken of it. */
export const capacitySchema = z.strictObject({
  /** Thousandths of a CPU. */
  cpuMillis: z.number().int().min(0),
  memoryBytes: z.number().int().min(0),
});
export type Capacity = z.infer<typeof capacitySchema>;

export function reservationOf(resources: Resources): Capacity {
  return {
    cpuMillis: Math.ceil((resources.cpus ?? 0) * 1000),
    memoryBytes: resources.memoryBytes ?? 0,
  };
}
