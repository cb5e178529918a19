import { expect, test } from "vitest";

import { readSettings } from "./settings.ts";

test("the fleet is on loopback with servers of its own unless told otherwise", () => {
  expect(readSettings({ PATH: "/bin", HOME: "/root", DATABASE_URL: "" })).toEqual({
    listen: "127.0.0.1:7575",
    url: "http://127.0.0.1:7575",
    databaseUrl: undefined,
    natsUrl: undefined,
    environment: { PATH: "/bin" },
  });
});

test("programs get what is meant for them and nothing else", () => {
  const { environment } = readSettings({
    PATH: "/bin",
    PODFLEET_LOG_LEVEL: "debug",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318",
    AWS_SECRET_ACCESS_KEY: "secret",
  });
  expect(environment).toEqual({
    PATH: "/bin",
    PODFLEET_LOG_LEVEL: "debug",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318",
  });
});

test.each([
  ["PODFLEET_LISTEN", "7575", 'PODFLEET_LISTEN is "7575", must be "ADDRESS:PORT"'],
  ["DATABASE_URL", "mysql://x", 'DATABASE_URL is "mysql://x", must be a postgresql:// URL'],
  ["NATS_URL", "127.0.0.1:4222", 'NATS_URL is "127.0.0.1:4222", must be a URL such as'],
])("a wrong %s is refused", (name, value, message) => {
  expect(() => readSettings({ [name]: value })).toThrow(message);
});
