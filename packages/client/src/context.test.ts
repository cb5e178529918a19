import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { contextPath, findContext, writeContext } from "./context.ts";

const context = { url: "http://127.0.0.1:7575", token: "pf_0123abcd_secret" };

let home: string;
let path: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "client-context-"));
  path = contextPath({ home });
});

afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

test("the file is below XDG_CONFIG_HOME, else below the home directory", () => {
  expect(contextPath({ home: "/home/ann" })).toBe("/home/ann/.config/podfleet/context.json");
  expect(contextPath({ home: "/home/ann", configHome: "/etc/xdg" })).toBe(
    "/etc/xdg/podfleet/context.json",
  );
});

test("what was written is read, and nobody else can read it", async () => {
  await writeContext(path, context);
  expect(await findContext(path)).toEqual(context);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(join(path, ".."))).mode & 0o777).toBe(0o700);
  expect(await readdir(join(path, ".."))).toEqual(["context.json"]);
});

test("a file that others can read is replaced by one that they cannot", async () => {
  await writeContext(path, context);
  await chmod(path, 0o644);
  await writeContext(path, { ...context, token: "pf_4567abcd_other" });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("without a file there is no context", async () => {
  expect(await findContext(path)).toBeUndefined();
});

test.each([
  ["no JSON", "{", "JSON"],
  ["no URL", JSON.stringify({ ...context, url: "127.0.0.1:7575" }), "must be an http:// or https"],
  ["no token", JSON.stringify({ url: context.url }), "token"],
  ["a word too many", JSON.stringify({ ...context, user: "ann" }), "user"],
])("a file with %s is refused, with what to do", async (_what, text, reason) => {
  await writeContext(path, context);
  await writeFile(path, text);
  await expect(findContext(path)).rejects.toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringMatching(new RegExp(`${reason}[^]*podfleet context set`)),
  });
});
