/** Settings of `npm start` from the environment. */
import { z } from "zod";

import { SetUpFailure } from "./failure.mjs";

const environmentSchema = z.object({
  /** Address that the control plane listens on. */
  PODFLEET_LISTEN: z
    .string()
    .regex(/^(\d+\.\d+\.\d+\.\d+|localhost):\d{1,5}$/, 'must be "ADDRESS:PORT", as 127.0.0.1:7575')
    .default("127.0.0.1:7575"),
  /** The user's own Postgres server. */
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "must be a postgresql:// URL")
    .optional(),
  /** The user's own NATS server, which must trust the identity in /var/lib/podfleet/nats. */
  NATS_URL: z
    .string()
    .regex(/^(nats|tls):\/\/\S+$/, 'must be a URL such as "nats://127.0.0.1:4222"')
    .optional(),
});

/** Variables that every program gets unchanged. */
const passedOn = [
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_EXPORTER_OTLP_HEADERS",
  "PODFLEET_JOURNAL_BYTES_MAX",
  "PODFLEET_LOG_LEVEL",
  "PODFLEET_RUNTIME",
];

export interface Settings {
  readonly listen: string;
  readonly url: string;
  readonly databaseUrl: string | undefined;
  readonly natsUrl: string | undefined;
  /** Environment of every program. */
  readonly environment: Readonly<Record<string, string>>;
}

/** @throws SetUpFailure that names the variable, its value and the allowed values */
export function readSettings(environment: NodeJS.ProcessEnv = process.env): Settings {
  const set = Object.entries(environment).filter(([, value]) => value !== "");
  const parsed = environmentSchema.safeParse(Object.fromEntries(set));
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => {
      const name = String(path[0]);
      return `${name} is ${JSON.stringify(environment[name])}, ${message}`;
    });
    throw new SetUpFailure(issues.join("; "));
  }
  const { PODFLEET_LISTEN, DATABASE_URL, NATS_URL } = parsed.data;
  return {
    listen: PODFLEET_LISTEN,
    url: `http://${PODFLEET_LISTEN}`,
    databaseUrl: DATABASE_URL,
    natsUrl: NATS_URL,
    environment: Object.fromEntries(
      ["PATH", ...passedOn].flatMap((name) => {
        const value = environment[name];
        return value === undefined || value === "" ? [] : [[name, value]];
      }),
    ),
  };
}
