/** Errors of the API for invalid input: a code, and a message that names the field, the value and what is allowed. */
import { createClient } from "@podfleet/client/client";
import { PodfleetError } from "@podfleet/model/errors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 2 });
  await runContainer(fleet.client, { name: "taken", command: ["sleep", "600"] });
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

describe("create", () => {
  test.each<[string, Record<string, unknown>, string, RegExp]>([
    ["no image", { image: undefined }, "INVALID_INPUT", /image/],
    ["a number for the image", { image: 7 }, "INVALID_INPUT", /image.*7|image.*string/],
    ["a command that is no list", { command: "sleep 1" }, "INVALID_INPUT", /command/],
    ["an unknown field", { colour: "red" }, "INVALID_INPUT", /colour/],
    ["a name with bad characters", { name: "a b!" }, "INVALID_INPUT", /name.*"a b!".*must match/],
    ["a name in use", { name: "taken" }, "NAME_IN_USE", /"taken"/],
    ["an image that no host has", { image: "nosuch:1" }, "IMAGE_NOT_FOUND", /"nosuch:1"/],
    ["no CPU at all", { resources: { cpus: 0 } }, "INVALID_INPUT", /resources\.cpus.*0.*at least/],
    [
      "a fraction of a byte",
      { resources: { memoryBytes: 7e6 + 0.5 } },
      "INVALID_INPUT",
      /resources\.memoryBytes.*whole number/,
    ],
    [
      "too little memory",
      { resources: { memoryBytes: 1024 } },
      "INVALID_INPUT",
      /resources\.memoryBytes.*1024.*6291456/,
    ],
    ["more CPUs than any host has", { resources: { cpus: 4096 } }, "NO_HOST_FITS", /cpu/i],
    ["a bad environment name", { env: { "A=B": "1" } }, "INVALID_INPUT", /env.*A=B/],
    ["an unknown stop signal", { stopSignal: "SIGNOPE" }, "INVALID_INPUT", /stopSignal.*SIGNOPE/],
    ["a relative workdir", { workdir: "here" }, "INVALID_INPUT", /workdir.*"here".*absolute/],
    [
      "a constraint of another form",
      { placement: { constraints: ["zone=a"] } },
      "INVALID_INPUT",
      /constraints.*zone=a.*must be/,
    ],
    [
      "O68: a negative number of restarts",
      { restartPolicy: { name: "on-failure", retriesMax: -1 } },
      "INVALID_INPUT",
      /restartPolicy\.retriesMax.*-1.*at least 1/,
    ],
    ["an unknown host", { placement: { host: "nowhere" } }, "HOST_NOT_FOUND", /"nowhere"/],
    [
      "O141: an unknown dependency",
      { dependencies: ["0".repeat(64)] },
      "CONTAINER_NOT_FOUND",
      /0000/,
    ],
  ])("with %s", async (_name, fields, code, message) => {
    const spec = { image: "busybox", ...fields };
    const error = await refusal(fleet.client.api.containers.create.mutate({ spec }));
    expect({ code: error.code, message: error.message }).toEqual({
      code,
      message: expect.stringMatching(message),
    });
  });

  test("with a constraint that no host meets, says of each host why not", async () => {
    const placement = { constraints: ["host.labels.zone==mars"] };
    const spec = { image: "busybox", placement };
    const error = await refusal(fleet.client.api.containers.create.mutate({ spec }));
    expect(error.code).toBe("NO_HOST_FITS");
    for (const { name } of fleet.hosts) {
      expect(error.message).toContain(`${name}: host.labels.zone is not set, must be == "mars"`);
    }
  });
});

describe("on a container", () => {
  const id = "f".repeat(64);

  test.each<[string, (api: Fleet["client"]["api"]) => Promise<unknown>, string, RegExp]>([
    [
      "start of an unknown name",
      (api) => api.containers.start.mutate({ container: "ghost" }),
      "CONTAINER_NOT_FOUND",
      /"ghost"/,
    ],
    [
      "inspect of an unknown id",
      (api) => api.containers.inspect.query({ container: id }),
      "CONTAINER_NOT_FOUND",
      /ffff/,
    ],
    [
      "an empty reference",
      (api) => api.containers.stop.mutate({ container: "" }),
      "INVALID_INPUT",
      /container/,
    ],
    [
      "start of one that runs",
      (api) => api.containers.start.mutate({ container: "taken" }),
      "STATE_INVALID",
      /"taken".*"running".*must be one of/,
    ],
    [
      "remove of one that runs",
      (api) => api.containers.remove.mutate({ container: "taken" }),
      "STATE_INVALID",
      /"taken".*"running"/,
    ],
    [
      "O87: a wait for an unknown container",
      (api) => api.containers.wait.mutate({ container: "ghost" }),
      "CONTAINER_NOT_FOUND",
      /"ghost"/,
    ],
    [
      "O87: a wait for an unknown condition",
      (api) => api.containers.wait.mutate({ container: "taken", condition: "done" as never }),
      "INVALID_INPUT",
      /condition.*"done"/,
    ],
    [
      "a negative timeout",
      (api) => api.containers.stop.mutate({ container: "taken", timeoutSeconds: -1 }),
      "INVALID_INPUT",
      /timeoutSeconds.*-1/,
    ],
    [
      "an unknown operation",
      (api) =>
        api.operations.get.query({ operationId: "01890000-0000-7000-8000-000000000000" as never }),
      "OPERATION_NOT_FOUND",
      /01890000/,
    ],
    [
      "an operation id of another version",
      (api) =>
        api.containers.start.mutate({
          container: "taken",
          operationId: "00000000-0000-4000-8000-000000000000" as never,
        }),
      "INVALID_INPUT",
      /operationId.*version 7/,
    ],
    [
      "an unknown host",
      (api) => api.hosts.inspect.query({ host: "nowhere" }),
      "HOST_NOT_FOUND",
      /"nowhere"/,
    ],
  ])("%s", async (_name, call, code, message) => {
    const error = await refusal(call(fleet.client.api));
    expect({ code: error.code, message: error.message }).toEqual({
      code,
      message: expect.stringMatching(message),
    });
  });
});

test.each(["NOPE", "0", "65"])("T11: kill with the unknown signal %s", async (signal) => {
  const error = await refusal(
    fleet.client.api.containers.kill.mutate({ container: "taken", signal }),
  );
  expect(error.code).toBe("INVALID_INPUT");
  expect(error.message).toMatch(new RegExp(`signal.*"${signal}".*must be a name`));
});

test("without a valid token nothing is answered", async () => {
  const stranger = createClient({ url: fleet.client.url, token: `${fleet.token}x` });
  const error = await refusal(stranger.api.containers.list.query({}));
  expect(error.code).toBe("UNAUTHENTICATED");
});

test("nothing that was refused has left a record", async () => {
  const listed = await fleet.client.api.containers.list.query({ all: true });
  expect(listed.map(({ name }) => name)).toEqual(["taken"]);
  for (const { reserved } of await fleet.client.api.hosts.list.query()) {
    expect(reserved).toEqual({ cpuMillis: 0, memoryBytes: 0 });
  }
});

async function refusal(call: Promise<unknown>): Promise<PodfleetError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof PodfleetError) return error;
  throw new Error("The call was not refused", { cause: error });
}
