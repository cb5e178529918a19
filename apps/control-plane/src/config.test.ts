import { expect, test } from "vitest";

import { readConfig, readDatabaseUrl } from "./config.ts";

const required = {
  DATABASE_URL: "postgresql://podfleet@127.0.0.1/podfleet",
  PODFLEET_NATS_CREDENTIALS: "/etc/podfleet/control-plane.creds",
};

test("defaults", () => {
  expect(readConfig(required)).toEqual({
    listen: { host: "127.0.0.1", port: 7575 },
    databaseUrl: required.DATABASE_URL,
    natsUrl: "nats://127.0.0.1:4222",
    natsCredentialsPath: required.PODFLEET_NATS_CREDENTIALS,
    logLevel: "info",
    otlpEndpoint: undefined,
  });
});

test("an IPv6 address, an unset endpoint, a database behind a socket", () => {
  const config = readConfig({
    ...required,
    PODFLEET_LISTEN: "[::1]:80",
    OTEL_EXPORTER_OTLP_ENDPOINT: "",
  });
  expect(config.listen).toEqual({ host: "::1", port: 80 });
  expect(config.otlpEndpoint).toBeUndefined();
  const socket = "postgresql://pf@/podfleet?host=/run/podfleet";
  expect(readDatabaseUrl({ DATABASE_URL: socket })).toBe(socket);
});

test.each([
  ["no database", { DATABASE_URL: "" }, "DATABASE_URL is not set, must be a URL such as"],
  [
    "a database of another kind",
    { DATABASE_URL: "mysql://me:secret@x/y" },
    'DATABASE_URL is "mysql://me:***@x/y"',
  ],
  ["an address without a port", { PODFLEET_LISTEN: "localhost" }, 'must be "HOST:PORT"'],
  ["a port out of range", { PODFLEET_LISTEN: "a:70000" }, "must have a port of at most 65535"],
  [
    "an unknown log level",
    { PODFLEET_LOG_LEVEL: "loud" },
    'PODFLEET_LOG_LEVEL is "loud", must be one of "trace", "debug", "info", "warn", "error", "fatal", "silent"',
  ],
  [
    "no credentials",
    { PODFLEET_NATS_CREDENTIALS: "" },
    "PODFLEET_NATS_CREDENTIALS is not set, must be the path of a .creds file",
  ],
])("%s is refused", (_name, environment, message) => {
  expect(() => readConfig({ ...required, ...environment })).toThrow(message);
});
