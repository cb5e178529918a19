/** The agent's settings: read from the environment once, here and nowhere else. */
import { hostname } from "node:os";
import { join } from "node:path";

import { journalBytesMaxDefault } from "@podfleet/journal/retention/retention";
import { PodfleetError } from "@podfleet/model/errors";
import { hostNameSchema, labelsSchema } from "@podfleet/model/name";
import type { Labels } from "@podfleet/model/name";
import { z } from "zod";

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

export interface AgentConfig {
  readonly hostName: string;
  readonly labels: Labels;
  readonly natsUrl: string;
  /** File with the agent's NATS user; the user's name is the host id. */
  readonly natsCredentialsPath: string;
  /** The engine's data root: its state, images and containers. */
  readonly dataRoot: string;
  /** The engine's run root, which a reboot clears: sockets, exit files and mounts. */
  readonly runRoot: string;
  /** The parent cgroup of the host's containers. */
  readonly cgroupParent: string;
  readonly runtime: "runc" | "crun";
  /** The capacity that the host offers to placement; the machine's own when absent. */
  readonly capacity: { readonly cpuMillis?: number; readonly memoryBytes?: number };
  /** The most bytes of one journal on disk. */
  readonly journalBytesMax: number;
  readonly logLevel: (typeof logLevels)[number];
}

const journalBytesMaxMin = 1024 ** 2;

const absolutePath = z.string().regex(/^\//, "must be an absolute path");

const environmentSchema = z.object({
  PODFLEET_HOST_NAME: hostNameSchema,
  PODFLEET_LABELS: z
    .string()
    .default("")
    .transform((text, context) => parseLabels(text, context)),
  NATS_URL: z
    .string()
    .regex(/^(nats|tls):\/\/\S+$/, 'must be a URL such as "nats://127.0.0.1:4222"')
    .default("nats://127.0.0.1:4222"),
  PODFLEET_NATS_CREDENTIALS: z
    .string("must be the absolute path of the host's .creds file")
    .regex(/^\//, "must be the absolute path of the host's .creds file"),
  PODFLEET_DATA_ROOT: absolutePath.optional(),
  PODFLEET_RUN_ROOT: absolutePath.optional(),
  PODFLEET_RUNTIME: z.enum(["runc", "crun"], 'must be "runc" or "crun"').default("runc"),
  PODFLEET_CPUS: z
    .string()
    .regex(/^\d+(\.\d{1,3})?$/, "must be a number of CPUs with at most 3 decimals")
    .transform((text) => Math.round(Number(text) * 1000))
    .optional(),
  PODFLEET_MEMORY_BYTES: z
    .string()
    .regex(/^\d{1,15}$/, "must be a whole number of bytes")
    .transform(Number)
    .optional(),
  PODFLEET_JOURNAL_BYTES_MAX: z
    .string()
    .regex(/^\d{1,15}$/, "must be a whole number of bytes")
    .transform(Number)
    .refine((bytes) => bytes >= journalBytesMaxMin, `must be at least ${journalBytesMaxMin}`)
    .default(journalBytesMaxDefault),
  PODFLEET_LOG_LEVEL: z
    .enum(logLevels, `must be one of ${logLevels.map((level) => `"${level}"`).join(", ")}`)
    .default("info"),
});

/** @throws PodfleetError INVALID_INPUT that names each variable, its value and what is allowed */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): AgentConfig {
  const set = Object.entries(environment).filter(
    ([, value]) => value !== undefined && value !== "",
  );
  const given: Record<string, unknown> = {
    PODFLEET_HOST_NAME: hostname().split(".")[0]?.toLowerCase(),
    ...Object.fromEntries(set),
  };
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) throw invalidEnvironment(parsed.error, given);
  const values = parsed.data;
  const hostName = values.PODFLEET_HOST_NAME;
  return {
    hostName,
    labels: values.PODFLEET_LABELS,
    natsUrl: values.NATS_URL,
    natsCredentialsPath: values.PODFLEET_NATS_CREDENTIALS,
    dataRoot: values.PODFLEET_DATA_ROOT ?? join("/var/lib/podfleet/hosts", hostName),
    runRoot: values.PODFLEET_RUN_ROOT ?? join("/run/podfleet", hostName),
    cgroupParent: `/podfleet/${hostName}`,
    runtime: values.PODFLEET_RUNTIME,
    capacity: {
      ...(values.PODFLEET_CPUS === undefined ? {} : { cpuMillis: values.PODFLEET_CPUS }),
      ...(values.PODFLEET_MEMORY_BYTES === undefined
        ? {}
        : { memoryBytes: values.PODFLEET_MEMORY_BYTES }),
    },
    journalBytesMax: values.PODFLEET_JOURNAL_BYTES_MAX,
    logLevel: values.PODFLEET_LOG_LEVEL,
  };
}

/** `zone=a,disk=ssd`; a key without `=` has an empty value, as podman's labels do. */
function parseLabels(text: string, context: z.core.$RefinementCtx<string>): Labels {
  const pairs = text.split(",").map((pair) => pair.trim());
  const labels = labelsSchema.safeParse(
    Object.fromEntries(pairs.filter((pair) => pair !== "").map(splitPair)),
  );
  if (labels.success) return labels.data;
  const issue = labels.error.issues[0];
  const reason = issue?.code === "invalid_key" ? issue.issues[0]?.message : issue?.message;
  context.addIssue({ code: "custom", message: `must be "KEY=VALUE,KEY=VALUE": ${reason}` });
  return z.NEVER;
}

function splitPair(pair: string): [string, string] {
  const [key = "", ...value] = pair.split("=");
  return [key, value.join("=")];
}

function invalidEnvironment(error: z.ZodError, given: Record<string, unknown>): PodfleetError {
  const reasons = error.issues.map((issue) => {
    const name = String(issue.path[0]);
    const value = given[name] === undefined ? "not set" : JSON.stringify(given[name]);
    return `${name} is ${value}, ${issue.message}`;
  });
  return new PodfleetError("INVALID_INPUT", `Cannot start the agent: ${reasons.join("; ")}`);
}
