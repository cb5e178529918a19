import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { writeContext } from "@podfleet/client/context";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { getContext, getDetachKeys } from "./config.ts";

const unset = { url: undefined, token: undefined, detachKeys: undefined, environment: {} };
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
  expect(await getContext({ contextPath, ...unset, ...environment })).toEqual(context);
});

test("the environment alone is enough", async () => {
  const settings = { url: "http://from.env", token: "token-of-env" };
  expect(await getContext({ contextPath, ...unset, ...settings })).toEqual(settings);
});

test.each([
  [{ url: undefined, token: "x" }, "which control plane"],
  [{ url: "http://from.env", token: undefined }, "which token"],
])("without a file, %j is not enough", async (settings, missing) => {
  const config = { contextPath, ...unset, ...settings };
  await expect(getContext(config)).rejects.toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringMatching(new RegExp(`Cannot tell ${missing}.*podfleet context set`)),
  });
});

describe("O53: detach keys", () => {
  test.each([
    [undefined, undefined, undefined, "ctrl-p,ctrl-q"],
    [undefined, undefined, "ctrl-f", "ctrl-f"],
    [undefined, "ctrl-e", "ctrl-f", "ctrl-e"],
    ["ctrl-a,a", "ctrl-e", "ctrl-f", "ctrl-a,a"],
    ["", "ctrl-e", "ctrl-f", ""],
    [undefined, "", "ctrl-f", ""],
  ])("--detach-keys %j, PODFLEET_DETACH_KEYS %j and a file with %j: %j", async (...row) => {
    const [flag, detachKeys, detachKeysOfFile, keys] = row;
    const context = { ...file, ...(detachKeysOfFile ? { detachKeys: detachKeysOfFile } : {}) };
    await writeContext(contextPath, context);
    expect(await getDetachKeys({ contextPath, ...unset, detachKeys }, flag)).toBe(keys);
  });

  test.each([
    ["ctrl-A,a", undefined, '--detach-keys "ctrl-A,a": must be keys joined by ","'],
    [undefined, "nonsense", 'PODFLEET_DETACH_KEYS "nonsense": must be keys'],
  ])("O57: %j and %j are refused", async (flag, detachKeys, message) => {
    const config = { contextPath, ...unset, detachKeys };
    await expect(getDetachKeys(config, flag)).rejects.toMatchObject({
      code: "INVALID_INPUT",
      message: expect.stringContaining(message),
    });
  });
});
