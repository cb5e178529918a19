import { expect, test } from "vitest";

import { readConfig } from "./config.ts";

const required = {
  PODFLEET_HOST_NAME: "host-1",
  PODFLEET_NATS_CREDENTIALS: "/etc/podfleet/host-1.creds",
};

test("paths and the cgroup follow from the host's name", () => {
  expect(readConfig(required)).toEqual({
    hostName: "host-1",
    labels: {},
    natsUrl: "nats://127.0.0.1:4222",
    natsCredentialsPath: "/etc/podfleet/host-1.creds",
    dataRoot: "/var/lib/podfleet/hosts/host-1",
    runRoot: "/run/podfleet/host-1",
    cgroupParent: "/podfleet/host-1",
    runtime: "runc",
    capacity: {},
    journalBytesMax: 1_073_741_824,
    logLevel: "info",
  });
});

test("labels and what the host offers", () => {
  const config = readConfig({
    ...required,
    PODFLEET_LABELS: "zone=a, url=a=b,bare",
    PODFLEET_CPUS: "1.5",
    PODFLEET_MEMORY_BYTES: "1073741824",
  });
  expect(config.labels).toEqual({ zone: "a", url: "a=b", bare: "" });
  expect(config.capacity).toEqual({ cpuMillis: 1500, memoryBytes: 1073741824 });
});

test.each([
  [
    "no credentials",
    { PODFLEET_NATS_CREDENTIALS: "" },
    /PODFLEET_NATS_CREDENTIALS is not set, must be the absolute path/,
  ],
  [
    "a relative path",
    { PODFLEET_DATA_ROOT: "data" },
    /PODFLEET_DATA_ROOT is "data", must be an absolute path/,
  ],
  [
    "an unknown runtime",
    { PODFLEET_RUNTIME: "kata" },
    /PODFLEET_RUNTIME is "kata", must be "runc" or "crun"/,
  ],
  [
    "a journal that is too small",
    { PODFLEET_JOURNAL_BYTES_MAX: "1000" },
    /PODFLEET_JOURNAL_BYTES_MAX is "1000", must be at least 1048576/,
  ],
  ["CPUs in words", { PODFLEET_CPUS: "two" }, /PODFLEET_CPUS is "two", must be a number of CPUs/],
  [
    "a host name with a dot",
    { PODFLEET_HOST_NAME: "a.b" },
    /PODFLEET_HOST_NAME is "a\.b", must be a DNS label/,
  ],
  [
    "a label without a key",
    { PODFLEET_LABELS: "=x" },
    /PODFLEET_LABELS is "=x", must be "KEY=VALUE,KEY=VALUE": label keys must not be empty/,
  ],
  [
    "a URL of another kind",
    { NATS_URL: "http://x" },
    /NATS_URL is "http:\/\/x", must be a URL such as/,
  ],
])("%s is refused with a sentence that says what is allowed", (_name, environment, message) => {
  expect(() => readConfig({ ...required, ...environment })).toThrow(message);
});
