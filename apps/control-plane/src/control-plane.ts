/**
 * Assembles a replica of the control plane: records, bus, services, background loops, and last the HTTP server. It owns
 * nothing but rows in Postgres, so any number of replicas run side by side, and any of them may be killed.
 */
import { Loop } from "@podfleet/base/loop";
import { serveAgents } from "@podfleet/bus/agent-server";
import type { Bus } from "@podfleet/bus/connection";
import { HostClient } from "@podfleet/bus/host-client";
import type { MessageServer } from "@podfleet/bus/message-server";
import { ChangeFeed } from "@podfleet/db/change-feed";
import { type Database, openDatabase, pingDatabase } from "@podfleet/db/database";
import { hasCode } from "@podfleet/model/errors";
import { OtlpForwarder } from "@podfleet/telemetry/otlp-forwarder";
import type { Logger } from "pino";

import { agentHandlers } from "./agents/agent-handlers.ts";
import { Heartbeats } from "./agents/heartbeats.ts";
import { pingHosts } from "./agents/ping-hosts.ts";
import type { Config } from "./config.ts";
import { closeServer, endsWithin } from "./http/close-server.ts";
import { DockerEndpoints } from "./http/docker-endpoints.ts";
import { listen } from "./http/listen.ts";
import { createHttpServer } from "./http/server.ts";
import { logLoopFailure } from "./loop-failure.ts";
import { prune } from "./reconcilers/prune.ts";
import { settleOperations } from "./reconcilers/settle.ts";
import { createServices } from "./services/api-services.ts";
import { Callers } from "./services/api-tokens.ts";
import { ContainerImports } from "./services/container-import.ts";
import { HostWatch } from "./services/host-watch.ts";
import { ImageLoads } from "./services/image-load.ts";
import { OperationDriver } from "./services/operation-driver.ts";
import { Operations } from "./services/operations.ts";
import { Traces } from "./services/traces.ts";
import { LocalSessions } from "./sessions/local-sessions.ts";
import { SessionRelay } from "./sessions/session-relay.ts";
import { streamRoute } from "./sessions/stream-route.ts";

export interface ControlPlane {
  /** The address that it listens on. */
  readonly url: string;
  /** Stores spans, those of this process too. */
  readonly traces: Traces;
  /** Refuses new calls, gives those under way a moment to finish, and leaves the rest to other replicas. */
  drain(): Promise<void>;
  /** Closes the connections to Postgres; called after `drain`. */
  close(): Promise<void>;
}

export interface ControlPlaneOptions {
  readonly config: Pick<Config, "listen" | "databaseUrl" | "otlpEndpoint" | "dockerSocket">;
  /** Connected; the caller closes it. */
  readonly bus: Bus;
  readonly logger: Logger;
}

const settleIntervalMs = 2_000;
const pruneIntervalMs = 60_000;
const flushMs = 2_000;

/**
 * Resolves when the replica serves. The database has the current schema.
 * @throws PodfleetError UNAVAILABLE when the address is taken
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { config, bus, logger } = options;
  const { databaseUrl: url, otlpEndpoint } = config;
  const { database, close: closeDatabase } = openDatabase({
    url,
    applicationName: "podfleet control-plane",
    onIdleError: (err) => logger.warn({ err }, "lost a connection to Postgres"),
  });
  const draining = new AbortController();
  const stopping = new AbortController();
  const onFailure = logLoopFailure(logger);
  const watch = new HostWatch(database, onFailure);
  const hosts = new HostClient(bus);
  const fleet = { database, hosts, watch, draining: draining.signal };
  const driver = new OperationDriver({ database, hosts, watch, stopping: stopping.signal });
  const forwarder = otlpEndpoint === undefined ? undefined : forward(otlpEndpoint, logger);
  const traces = new Traces(database, forwarder);
  const feed = new ChangeFeed({
    url,
    applicationName: "podfleet control-plane events",
    onFailure,
  });
  const { settler, pruner, pings } = createLoops({ database, hosts, logger });
  const heartbeats = new Heartbeats(database, onFailure);
  const loops = [settler, pruner, pings, heartbeats.loop, watch.loop, feed.loop];
  const callers = new Callers(database);
  const operations = new Operations(database, driver);
  const relay = new SessionRelay({ fleet, bus, logger });
  const sessions = new LocalSessions(fleet, relay);
  const services = createServices({ fleet, operations, feed, sessions, traces, loops });
  const docker = new DockerEndpoints({ services, callers, logger });
  const server = createHttpServer({
    ...{ callers, services, fleet, operations, traces, logger },
    imageLoads: new ImageLoads(fleet, driver),
    imports: new ContainerImports(fleet, driver),
    upgrades: [streamRoute({ callers, relay })],
    docker: docker.api,
    health: async () => await checkHealth(database, bus, loops),
  });

  const handlers = agentHandlers({ database, heartbeats, traces, settler, logger });
  const agentServer = await serveAgents(bus, handlers);
  const pinged = pings.runOnce();
  pings.start();
  await pinged;
  for (const loop of loops) loop.start();

  const ownUrl = await listen(server, config.listen);
  if (config.dockerSocket !== undefined) await docker.listen(config.dockerSocket);

  return {
    url: ownUrl,
    traces,
    drain: async () => {
      draining.abort();
      await Promise.all([docker.close(), closeServer(server, () => stopping.abort())]);
      await stopAgentServer(agentServer, logger);
      await Promise.all(loops.map(async (loop) => await loop.stop()));
      await feed.close();
    },
    close: async () => {
      if (forwarder && !(await endsWithin(forwarder.flush(), flushMs))) {
        logger.warn("ended before all spans were forwarded");
      }
      await closeDatabase();
    },
  };
}

function createLoops(parts: {
  readonly database: Database;
  readonly hosts: HostClient;
  readonly logger: Logger;
}) {
  const { database, hosts, logger } = parts;
  const onFailure = logLoopFailure(logger);
  return {
    settler: new Loop({
      name: "settle",
      intervalMs: settleIntervalMs,
      run: async (signal) => await settleOperations({ database, hosts }, signal),
      onFailure,
    }),
    pruner: new Loop({
      name: "prune",
      intervalMs: pruneIntervalMs,
      run: async () => await prune(database),
      onFailure,
    }),
    pings: new Loop({
      name: "ping-hosts",
      run: async (signal) => await pingHosts(database, hosts, signal),
      onFailure,
    }),
  };
}

async function checkHealth(database: Database, bus: Bus, loops: readonly Loop[]) {
  const [postgres] = await Promise.allSettled([pingDatabase(database)]);
  const isHealthy = postgres.status === "fulfilled" && bus.connected;
  return {
    isHealthy,
    postgres: postgres.status === "fulfilled" ? "reachable" : "unreachable",
    nats: bus.connected ? "connected" : "disconnected",
    // `/healthz` needs no token, so error messages are left out: they may hold what only callers should read.
    loops: loops.map(({ status: { lastError: _, ...status } }) => status),
  };
}

function forward(endpoint: string, logger: Logger): OtlpForwarder {
  const onError = (err: unknown): void => logger.warn({ err }, "cannot forward spans");
  return new OtlpForwarder({ endpoint, onError });
}

/** Stops the message server. Agents send again what it has not answered. */
async function stopAgentServer(server: MessageServer, logger: Logger): Promise<void> {
  try {
    await server.stop();
  } catch (error) {
    if (!hasCode(error, "TIMEOUT")) throw error;
    logger.warn({ reason: error.message }, "ended with agents' messages under way");
  }
}
