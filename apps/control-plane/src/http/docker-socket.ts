/**
 * The Docker API on a Unix socket that only the user of this process and root can open. Callers need no token.
 */
import { once } from "node:events";
import { lstat, rm } from "node:fs/promises";
import { connect } from "node:net";

import { hasErrno } from "@podfleet/base/errno";
import type { DockerApi } from "@podfleet/docker-api/docker-api";
import { PodfleetError } from "@podfleet/model/errors";
import fastify, { type FastifyInstance } from "fastify";
import type { Logger } from "pino";

import { logDefect } from "./server.ts";
import { findUpgradeRoute, serveUpgrades } from "./upgrades.ts";

/** The umask: no permissions for anybody but the owner. */
const ownersOnly = 0o177;

/**
 * Resolves when the socket is served. A socket file that another process has left behind is replaced.
 * @throws PodfleetError UNAVAILABLE when another process listens there; INVALID_INPUT when something else is there, or the folder is not
 */
export async function serveDockerSocket(
  path: string,
  { routes, upgrades }: DockerApi,
  logger: Logger,
): Promise<FastifyInstance> {
  await removeLeftover(path);
  const server = fastify({
    http: { shouldUpgradeCallback: (request) => findUpgradeRoute(upgrades, request) !== undefined },
  });
  void server.register(routes);
  serveUpgrades(server.server, upgrades, (error, at) => logDefect(logger, error, at));
  await server.ready();
  // `listen` creates the socket file before it returns, so no other code runs with this umask.
  const umask = process.umask(ownersOnly);
  const listening = once(server.server, "listening");
  try {
    server.server.listen(path);
  } finally {
    process.umask(umask);
  }
  try {
    await listening;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PodfleetError("INVALID_INPUT", `Cannot listen at "${path}": ${reason}`, {
      cause: error,
    });
  }
  return server;
}

async function removeLeftover(path: string): Promise<void> {
  const entry = await lstat(path).catch((error: unknown) => {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  });
  if (!entry) return;
  if (!entry.isSocket()) {
    throw new PodfleetError("INVALID_INPUT", `Cannot listen at "${path}": a file is there`);
  }
  if (await isServed(path)) {
    throw new PodfleetError(
      "UNAVAILABLE",
      `Cannot listen at "${path}": another process listens there`,
    );
  }
  await rm(path, { force: true });
}

async function isServed(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch (error) {
    if (hasErrno(error, "ECONNREFUSED") || hasErrno(error, "ENOENT")) return false;
    throw error;
  } finally {
    socket.destroy();
  }
}
