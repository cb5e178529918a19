import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createDockerApi } from "@podfleet/docker-api/docker-api";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";

import { serveDockerSocket } from "./docker-socket.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "podfleet-docker-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function serve(path: string) {
  const api = createDockerApi({
    contextOf: async () => await Promise.reject(new Error("Nobody calls")),
    version: "1.2.3",
    onDefect: () => undefined,
  });
  return await serveDockerSocket(path, api, pino({ level: "silent" }));
}

test("a file that is no socket stays", async () => {
  const path = join(folder, "docker.sock");
  await writeFile(path, "kept");
  await expect(serve(path)).rejects.toMatchObject({
    code: "INVALID_INPUT",
    message: `Cannot listen at "${path}": a file is there`,
  });
  expect(await readFile(path, "utf8")).toBe("kept");
});

test("a socket that a process serves stays", async () => {
  const path = join(folder, "docker.sock");
  const other = createServer().listen(path);
  await once(other, "listening");
  await expect(serve(path)).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: `Cannot listen at "${path}": another process listens there`,
  });
  other.close();
  await once(other, "close");
});

test("a folder that is not there is named", async () => {
  const path = join(folder, "none/docker.sock");
  await expect(serve(path)).rejects.toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringContaining(`Cannot listen at "${path}"`),
  });
});
