import { ROOT_CONTEXT } from "@opentelemetry/api";
import { PodfleetError } from "@podfleet/model/errors";
import type { LogChunk } from "@podfleet/model/log";
import { beforeEach, expect, test } from "vitest";

import { createLocalApi } from "./local-api.ts";
import type { ContainerService } from "./services/containers.ts";
import type { Services } from "./services/services.ts";

const lostDatabase = new Error("the connection was reset");
const defects: unknown[] = [];

beforeEach(() => {
  defects.length = 0;
});

function apiOver(containers: Partial<ContainerService>, signal?: AbortSignal) {
  const system = {
    version: "1.2.3",
    findFailure: (error: unknown) =>
      error === lostDatabase
        ? new PodfleetError("UNAVAILABLE", "Cannot reach Postgres")
        : undefined,
  };
  const context = {
    services: { containers, system } as Services,
    caller: { name: "ann" },
    callerContext: ROOT_CONTEXT,
  };
  return createLocalApi(context, { signal, onDefect: (error) => defects.push(error) });
}

test("a procedure answers as whom the context names", async () => {
  expect(await apiOver({}).system.info()).toMatchObject({
    version: "1.2.3",
    caller: { name: "ann" },
  });
});

test("an input that the contract refuses reaches no service", async () => {
  const inspecting = apiOver({}).containers.inspect({ container: "a b" });
  await expect(inspecting).rejects.toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringContaining('container is "a b"'),
  });
  expect(defects).toEqual([]);
});

test.each([
  ["a failure of the registry", new PodfleetError("CONTAINER_NOT_FOUND", "No such container")],
  ["what an error comes down to", lostDatabase],
])("%s is the caller's error", async (_name, thrown) => {
  const { containers } = apiOver({ inspect: async () => await Promise.reject(thrown) });
  const code = thrown instanceof PodfleetError ? thrown.code : "UNAVAILABLE";
  const inspecting = containers.inspect({ container: "web" });
  await expect(inspecting).rejects.toBeInstanceOf(PodfleetError);
  await expect(inspecting).rejects.toMatchObject({ code });
  expect(defects).toEqual([]);
});

test("a defect is told of, and its words are not the caller's", async () => {
  const { containers } = apiOver({
    inspect: async () => await Promise.reject(new Error("secret")),
  });
  await expect(containers.inspect({ container: "web" })).rejects.toMatchObject({
    code: "INTERNAL",
    message: expect.not.stringContaining("secret"),
  });
  expect(defects).toHaveLength(1);
});

test("a subscription yields events with their ids, ends with its error, and has the caller's signal", async () => {
  const { signal } = new AbortController();
  const chunk: LogChunk = { bytes: new Uint8Array(3), next: 48 };
  let given: AbortSignal | undefined;
  const { containers } = apiOver(
    {
      logs: async function* (_request, signalOfCall) {
        given = signalOfCall;
        yield chunk;
        throw lostDatabase;
      },
    },
    signal,
  );
  const seen: unknown[] = [];
  const read = async (): Promise<void> => {
    for await (const event of await containers.logs({ container: "web" })) seen.push(event);
  };
  await expect(read()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(seen).toEqual([{ id: "48", data: chunk }]);
  expect(given).toBe(signal);
});
