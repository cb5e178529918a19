/** The control plane's settings: read from the environment once, here and nowhere else. */
import { PodfleetError } from "@podfleet/model/errors";
import { z } from "zod";

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

export interface Config {
  readonly listen: { readonly host: string; readonly port: number };
  readonly databaseUrl: string;
  readonly natsUrl: string;
  readonly natsCredentialsPath: string;
  readonly logLevel: (typeof logLevels)[number];
  /** Spans are passed on to `/v1/traces` below it. */
  readonly otlpEndpoint: string | undefined;
  /** Path of a Unix socket on which the Docker API is served. */
  readonly dockerSocket: string | undefined;
}

const listenSchema = z
  .string()
  .regex(/^(.+):(\d{1,5})$/, 'must be "HOST:PORT"')
  .transform((text) => {
    const colon = text.lastIndexOf(":");
    const host = text.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
    return { host, port: Number(text.slice(colon + 1)) };
  })
  .refine(({ port }) => port <= 65_535, "must have a port of at most 65535");

/** sockaddr_un has room for 108 bytes with the NUL at their end. */
const socketPathBytesMax = 107;

const databaseUrlForm = 'must be a URL such as "postgresql://user@127.0.0.1/podfleet"';

const environmentSchema = z.object({
  PODFLEET_LISTEN: listenSchema.prefault("127.0.0.1:7575"),
  // Not z.url: a Unix socket's has no host.
  DATABASE_URL: z
    .string({ error: databaseUrlForm })
    .regex(/^postgres(ql)?:\/\/\S+$/, databaseUrlForm),
  NATS_URL: z
    .url({ protocol: /^(nats|tls)$/, error: 'must be a URL such as "nats://127.0.0.1:4222"' })
    .default("nats://127.0.0.1:4222"),
  PODFLEET_NATS_CREDENTIALS: z.string({ error: "must be the path of a .creds file" }).min(1),
  PODFLEET_LOG_LEVEL: z
    .enum(logLevels, { error: `must be one of "${logLevels.join('", "')}"` })
    .default("info"),
  PODFLEET_DOCKER_SOCKET: z
    .string()
    .regex(/^\/[^\0]+$/, "must be an absolute path")
    .refine(
      (path) => Buffer.byteLength(path) <= socketPathBytesMax,
      `must have at most ${socketPathBytesMax} bytes`,
    )
    .optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({
      protocol: /^https?$/,
      error: 'must be a URL such as "http://127.0.0.1:4318"',
    })
    .optional(),
});

/** @throws PodfleetError INVALID_INPUT that names each variable that is wrong, its value and what is allowed */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const read = parse(environmentSchema, environment);
  return {
    listen: read.PODFLEET_LISTEN,
    databaseUrl: read.DATABASE_URL,
    natsUrl: read.NATS_URL,
    natsCredentialsPath: read.PODFLEET_NATS_CREDENTIALS,
    logLevel: read.PODFLEET_LOG_LEVEL,
    otlpEndpoint: read.OTEL_EXPORTER_OTLP_ENDPOINT,
    dockerSocket: read.PODFLEET_DOCKER_SOCKET,
  };
}

/** The setting that `token create` needs. */
export function readDatabaseUrl(environment: NodeJS.ProcessEnv = process.env): string {
  return parse(environmentSchema.pick({ DATABASE_URL: true }), environment).DATABASE_URL;
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  environment: NodeJS.ProcessEnv,
): z.output<Schema> {
  const isSet = ([, value]: [string, string | undefined]): boolean => value !== "";
  const settings = Object.fromEntries(Object.entries(environment).filter(isSet));
  const result = schema.safeParse(settings);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path: [name], message }) => {
    const value = settings[String(name)];
    const state = value === undefined ? "is not set" : `is ${JSON.stringify(masked(value))}`;
    return `${String(name)} ${state}, ${message}`;
  });
  throw new PodfleetError("INVALID_INPUT", `Cannot start: ${faults.join("; ")}`, {
    cause: result.error,
  });
}

/** The URL without its password. */
function masked(value: string): string {
  return value.replace(/:[^:@/]*@/, ":***@");
}
