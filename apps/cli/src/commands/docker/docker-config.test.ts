import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { writeDockerConfig } from "./docker-config.ts";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "podfleet-docker-config-"));
  path = join(folder, "docker/config.json");
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test("the token is in a file that nobody else can read", async () => {
  await writeDockerConfig(join(folder, "docker"), "pf_1");
  expect(JSON.parse(await readFile(path, "utf8"))).toEqual({
    HttpHeaders: { Authorization: "Bearer pf_1" },
  });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("what else the file says stays", async () => {
  await mkdir(join(folder, "docker"));
  await writeFile(path, '{"detachKeys":"ctrl-a","HttpHeaders":{"X":"y","Authorization":"old"}}');
  await writeDockerConfig(join(folder, "docker"), "pf_2");
  expect(JSON.parse(await readFile(path, "utf8"))).toEqual({
    detachKeys: "ctrl-a",
    HttpHeaders: { X: "y", Authorization: "Bearer pf_2" },
  });
});

test("a file that is not a configuration is named and kept", async () => {
  await mkdir(join(folder, "docker"));
  await writeFile(path, "[]");
  await expect(writeDockerConfig(join(folder, "docker"), "pf_3")).rejects.toThrow(
    `Cannot use "${path}" as a Docker configuration`,
  );
  expect(await readFile(path, "utf8")).toBe("[]");
});
