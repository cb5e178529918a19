import { expect, test } from "vitest";
import { z } from "zod";

import { containerSpecSchema } from "./container/spec.ts";
import { hostIdSchema } from "./ids.ts";
import { inputError } from "./input-error.ts";
import { hostNameSchema } from "./name.ts";
import { signalSchema } from "./signal.ts";

const hostReferenceSchema = z.union([hostNameSchema, hostIdSchema]);

const create = z.strictObject({ spec: containerSpecSchema });

function messageOf(schema: z.ZodType, input: unknown): string {
  const { error } = schema.safeParse(input);
  return error ? inputError(error, input).message : "accepted";
}

test.each<[string, unknown, string]>([
  ["nothing", undefined, "input is missing, must be an object"],
  ["no spec", {}, "spec is missing, must be an object"],
  ["a spec of another type", { spec: "busybox" }, 'spec is "busybox", must be an object'],
  ["no image", { spec: {} }, "spec.image is missing, must be a string"],
  ["an empty image", { spec: { image: "" } }, 'spec.image is "", must not be empty'],
  [
    "an image that is too long",
    { spec: { image: "x".repeat(600) } },
    `spec.image is "${"x".repeat(79)}..., must have at most 512 characters`,
  ],
  [
    "a name with bad characters",
    { spec: { image: "busybox", name: "my web!" } },
    'spec.name is "my web!", must match [a-zA-Z0-9][a-zA-Z0-9_.-]*',
  ],
  [
    "a command that is no list",
    { spec: { image: "busybox", command: "sh" } },
    'spec.command is "sh", must be a list',
  ],
  [
    "a word of a command of another type",
    { spec: { image: "busybox", command: ["sh", 7] } },
    "spec.command[1] is 7, must be a string",
  ],
  [
    "no CPU",
    { spec: { image: "busybox", resources: { cpus: 0 } } },
    "spec.resources.cpus is 0, must be at least 0.001",
  ],
  [
    "impossible CPUs",
    { spec: { image: "busybox", resources: { cpus: 1e9 } } },
    "spec.resources.cpus is 1000000000, must be at most 8192",
  ],
  [
    "CPUs in words",
    { spec: { image: "busybox", resources: { cpus: "two" } } },
    'spec.resources.cpus is "two", must be a number',
  ],
  [
    "too little memory",
    { spec: { image: "busybox", resources: { memoryBytes: 1024 } } },
    "spec.resources.memoryBytes is 1024, must be at least 6291456 (6 MiB)",
  ],
  [
    "half a byte",
    { spec: { image: "busybox", resources: { memoryBytes: 7e6 + 0.5 } } },
    "spec.resources.memoryBytes is 7000000.5, must be a whole number of bytes",
  ],
  [
    "an unknown network mode",
    { spec: { image: "busybox", networkMode: "bridge" } },
    'spec.networkMode is "bridge", must be one of "none", "host"',
  ],
  [
    "an unknown signal",
    { spec: { image: "busybox", stopSignal: "SIGNOPE" } },
    'spec.stopSignal is "SIGNOPE", unknown signal "SIGNOPE": must be a name such as "TERM" or "SIGTERM", or a number from 1 to 64',
  ],
  [
    "a relative mount",
    {
      spec: { image: "busybox", mounts: [{ type: "bind", source: "data", destination: "/data" }] },
    },
    'spec.mounts[0].source is "data", must be an absolute path',
  ],
  [
    "an unknown mount type",
    { spec: { image: "busybox", mounts: [{ type: "nfs" }] } },
    'spec.mounts[0].type is "nfs", must be one of "bind", "tmpfs"',
  ],
  [
    "an unknown restart policy",
    { spec: { image: "busybox", restartPolicy: { name: "sometimes" } } },
    'spec.restartPolicy.name is "sometimes", must be one of "no", "on-failure", "always", "unless-stopped"',
  ],
  [
    "a constraint in another form",
    { spec: { image: "busybox", placement: { constraints: ["disk=ssd"] } } },
    'spec.placement.constraints[0] is "disk=ssd", must be "host.name", "host.id" or "host.labels.NAME", then "==" or "!=", then a value',
  ],
  [
    "a host with a bad name",
    { spec: { image: "busybox", placement: { host: "Host 1" } } },
    'spec.placement.host is "Host 1", must be a DNS label: 1 to 63 of a-z, 0-9 and -, not starting or ending with - or must be 16 lower-case hex digits',
  ],
  [
    "a field that does not exist",
    { spec: { image: "busybox", imagePullPolicy: "always" } },
    "spec.imagePullPolicy is not a field that is known here",
  ],
  [
    "an environment name with an equals sign",
    { spec: { image: "busybox", env: { "A=B": "1" } } },
    'spec.env.A=B has a name that is not allowed: it must not be empty and must not contain "=" or a NUL byte',
  ],
  [
    "an unknown capability",
    { spec: { image: "busybox", capabilitiesAdd: ["CAP_FLY"] } },
    'spec.capabilitiesAdd[0] is "CAP_FLY", unknown capability "FLY": must be "ALL" or one of capabilities(7)',
  ],
  [
    "two faults",
    { spec: { image: 7, tty: "yes" } },
    'spec.image is 7, must be a string; spec.tty is "yes", must be true or false',
  ],
])("%s", (_name, input, message) => {
  expect(messageOf(create, input)).toBe(`Invalid input: ${message}`);
});

test.each<[unknown, string]>([
  ["0", "unknown signal"],
  [65, "unknown signal"],
  [{}, "input is {}, must be a string or must be a number"],
])("signal %j", (signal, message) => {
  expect(messageOf(signalSchema, signal)).toContain(message);
});

test("a host reference", () => {
  expect(messageOf(hostReferenceSchema, "-x")).toContain('input is "-x", must be a DNS label');
  expect(messageOf(hostReferenceSchema, "host-1")).toBe("accepted");
});

test("details name each field", () => {
  const input = { spec: { image: 7 } };
  const { error } = create.safeParse(input);
  expect(error && inputError(error, input).details).toEqual({
    fields: [{ path: "spec.image", message: "spec.image is 7, must be a string" }],
  });
});
