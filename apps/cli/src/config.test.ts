import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { writeContext } from "@podfleet/client/context";
import { afterEach, beforeEach, expect, test } from "vitest";

import { getContext } from "./config.ts";

const file = { url: "http://from.file", token: "token-of-file" };

let directory: string;
let contextPath: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "cli-config-"));
  contextPath = join(directory, "context.json");
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

test.each([
  [{}, file],
  [{ url: "http://from.env" }, { ...file, url: "http://from.env" }],
  [{ token: "token-of-env" }, { ...file, token: "token-of-env" }],
])("with %j set, the context is %j", async (environment, context) => {
  await writeContext(contextPath, file);
  const settings = { url: undefined, token: undefined, environment: {}, ...environment };
  expect(await getContext({ contextPath, ...settings })).toEqual(context);
});

test("the environment alone is enough", async () => {
  const settings = { url: "http://from.env", token: "token-of-env", environment: {} };
  expect(await getContext({ contextPath, ...settings })).toEqual({
    url: settings.url,
    token: settings.token,
  });
});

test.each([
  [{ url: undefined, token: "x" }, "which control plane"],
  [{ url: "http://from.env", token: undefined }, "which token"],
])("without a file, %j is not enough", async (settings, missing) => {
  const config = { contextPath, environment: {}, ...settings };
  await expect(getContext(config)).rejects.toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringMatching(new RegExp(`Cannot tell ${missing}.*podfleet context set`)),
  });
});
