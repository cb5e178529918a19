/** What the environment may say about the fleet that `npm start` brings up. */
import { z } from "zod";

import { SetUpFailure } from "./failure.mjs";

const environmentSchema = z.object({
  /** Where the control plane listens. */
  PODFLEET_LISTEN: z
    .string()
    .regex(/^(\d+\.\d+\.\d+\.\d+|localhost):\d{1,5}$/, 'must be "ADDRESS:PORT", as 127.0.0.1:7575')
    .default("127.0.0.1:7575"),
  /** A Postgres server of the user's own. */
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "must be a postgresql:// URL")
    .optional(),
  /** A NATS server of the user's own that trusts the identity in /var/lib/podfleet/nats. */
  NATS_URL: z
    .string()
    .regex(/^(nats|tls):\/\/\S+$/, 'must be a URL such as "nats://127.0.0.1:4222"')
    .optional(),
});

/** Variables that are handed to every program as they are. */
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
  /** The environment that every program starts with. */
  readonly environment: Readonly<Record<string, string>>;
}

/** @throws SetUpFailure that names the variable, its value and what is allowed */
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
