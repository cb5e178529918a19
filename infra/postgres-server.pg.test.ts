import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import {
  findPostgresServer,
  killPostgresServer,
  startPostgresServer,
  stopPostgresServer,
} from "./postgres-server.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "podfleet-postgres-"));
});

afterEach(async () => {
  const server = await findPostgresServer(directory);
  if (server) await stopPostgresServer(server.pid);
  await rm(directory, { recursive: true });
});

test("a detached server is found again, and a second start returns it", async () => {
  const options = { directory, mode: "detached", durable: false } as const;
  expect(await findPostgresServer(directory)).toBeUndefined();
  const started = await startPostgresServer(options);
  expect((await findPostgresServer(directory))?.pid).toBe(started.pid);
  expect((await startPostgresServer(options)).pid).toBe(started.pid);
  await stopPostgresServer(started.pid);
  expect(await findPostgresServer(directory)).toBeUndefined();
});

test("a crashed server's pid file does not hinder a start, whoever has the pid by then", async () => {
  const options = { directory, mode: "attached", durable: false } as const;
  const crashed = await startPostgresServer(options);
  await killPostgresServer(crashed.pid);
  const path = join(directory, "data/postmaster.pid");
  const lines = (await readFile(path, "utf8")).split("\n");
  await writeFile(path, [process.pid, ...lines.slice(1)].join("\n"));
  expect(await findPostgresServer(directory)).toBeUndefined();
  const restarted = await startPostgresServer(options);
  expect(restarted.pid).not.toBe(crashed.pid);
});

test("a folder that the server's user cannot enter is named", async () => {
  await chmod(directory, 0o700);
  const inside = join(directory, "postgres");
  const starting = startPostgresServer({ directory: inside, mode: "attached", durable: false });
  await expect(starting).rejects.toMatchObject({
    code: "UNSUPPORTED",
    message: expect.stringContaining(`other users cannot enter "${directory}"`),
  });
});

test("a socket path that is too long is refused with its bound", async () => {
  const deep = join(directory, "x".repeat(100));
  const starting = startPostgresServer({ directory: deep, mode: "attached", durable: false });
  await expect(starting).rejects.toMatchObject({
    code: "UNSUPPORTED",
    message: expect.stringContaining("must have at most 107"),
  });
});
