/** The HTTP server. Every route but `/healthz` needs a token. */
import { httpStatusOf } from "@podfleet/api/procedures/error-shape";
import { type AppRouter, appRouter } from "@podfleet/api/router";
import type { Services } from "@podfleet/api/services/services";
import type { DockerApi } from "@podfleet/docker-api/docker-api";
import { fastifyTRPCPlugin, type FastifyTRPCPluginOptions } from "@trpc/server/adapters/fastify";
import fastify, { type FastifyInstance } from "fastify";
import type { Logger } from "pino";

import type { Callers } from "../services/api-tokens.ts";
import type { ContainerImports } from "../services/container-import.ts";
import type { Fleet } from "../services/fleet.ts";
import type { ImageLoads } from "../services/image-load.ts";
import type { Operations } from "../services/operations.ts";
import type { Traces } from "../services/traces.ts";
import { apiContextOf } from "./api-context.ts";
import { checkpointRoute } from "./checkpoint-route.ts";
import { fileRoutes } from "./file-routes.ts";
import { imageRoute } from "./image-route.ts";
import { traceRoute } from "./trace-route.ts";
import {
  findMissingUpgrade,
  findUpgradeRoute,
  serveUpgrades,
  type UpgradeRoute,
} from "./upgrades.ts";
import { wireErrorOf } from "./wire-error.ts";

export interface HttpServerOptions {
  readonly services: Services;
  readonly fleet: Fleet;
  readonly operations: Operations;
  readonly traces: Traces;
  readonly callers: Callers;
  readonly imageLoads: ImageLoads;
  readonly imports: ContainerImports;
  readonly upgrades: readonly UpgradeRoute[];
  readonly logger: Logger;
  readonly docker: DockerApi;
  /** The body of `/healthz`; `isHealthy` decides the status code. */
  readonly health: () => Promise<{ readonly isHealthy: boolean }>;
}

/** The largest request body: a spec may hold a long command and many labels. Archives are streamed and have no such bound. */
const bodyBytesMax = 8 * 1024 * 1024;
/** The longest path parameter: tRPC puts a query's input into the URL. */
const pathLengthMax = 1_000;

export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { callers, services, fleet, operations, traces, docker, logger } = options;
  const upgrades = [...options.upgrades, ...docker.upgrades];
  const server = fastify({
    bodyLimit: bodyBytesMax,
    routerOptions: { maxParamLength: pathLengthMax },
    http: { shouldUpgradeCallback: (request) => findUpgradeRoute(upgrades, request) !== undefined },
  });
  addErrorReplies(server, options);
  serveUpgrades(server.server, upgrades, (error, path) => logDefect(logger, error, path));

  server.get("/healthz", async (_request, reply) => {
    const health = await options.health();
    return await reply.status(health.isHealthy ? 200 : 503).send(health);
  });

  void server.register(fastifyTRPCPlugin, {
    prefix: "/trpc",
    trpcOptions: {
      router: appRouter,
      createContext: async ({ req }) => await apiContextOf({ services, callers }, req.headers),
      onError: ({ error, path }) => logDefect(logger, error, path),
    },
  } satisfies FastifyTRPCPluginOptions<AppRouter>);
  void server.register(imageRoute({ callers, imageLoads: options.imageLoads }));
  void server.register(fileRoutes({ callers, fleet, operations }));
  void server.register(checkpointRoute({ callers, fleet, imports: options.imports }));
  void server.register(traceRoute({ callers, traces }));
  void server.register(docker.routes);
  return server;
}

function addErrorReplies(
  server: FastifyInstance,
  { upgrades, logger }: Pick<HttpServerOptions, "upgrades" | "logger">,
): void {
  server.setErrorHandler(async (error, request, reply) => {
    logDefect(logger, error, request.routeOptions.url);
    const wire = wireErrorOf(error, request.query);
    return await reply.status(httpStatusOf(wire)).send({ error: wire });
  });
  server.setNotFoundHandler(async (request, reply) => {
    const upgrade = findMissingUpgrade(upgrades, request.raw);
    const reason = upgrade ? `it must ask for an upgrade to "${upgrade}"` : "no such route";
    const message = `Cannot find ${request.method} ${JSON.stringify(request.url)}: ${reason}`;
    const status = upgrade ? 400 : 404;
    return await reply.status(status).send({ error: { code: "INVALID_INPUT", message } });
  });
}

export function logDefect(logger: Logger, error: unknown, path: string | undefined): void {
  if (wireErrorOf(error).code === "INTERNAL") logger.error({ err: error, path }, "defect");
}
