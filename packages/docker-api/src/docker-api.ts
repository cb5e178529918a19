/**
 * Docker's Engine API for the fleet: the part that Docker's CLI needs to list and inspect containers, to attach to them, to run commands in them
 * and to start and stop them. It calls podfleet's own API within the process, with its caller's identity.
 * Source: https://docs.docker.com/reference/api/engine/version/v1.47/
 */
import { PodfleetError } from "@podfleet/model/errors";
import type { FastifyInstance, FastifyPluginCallback } from "fastify";

import { attachRoutes } from "./container/attach-routes.ts";
import { attachUpgrade } from "./container/attach-upgrade.ts";
import { attachWebSocket } from "./container/attach-websocket.ts";
import { changeRoutes } from "./container/change-routes.ts";
import { logsRoute } from "./container/logs-route.ts";
import { readRoutes } from "./container/read-routes.ts";
import { waitRoute } from "./container/wait-route.ts";
import { execRoutes } from "./exec/exec-routes.ts";
import { execUpgrade } from "./exec/exec-upgrade.ts";
import { apiVersion, parseApiVersion } from "./http/api-version.ts";
import type { CallerOptions, VersionedRoute } from "./http/call.ts";
import { dockerFailure } from "./http/docker-failure.ts";
import type { UpgradeRoute } from "./http/upgrade-call.ts";
import { systemRoutes } from "./system/system-routes.ts";

export interface DockerApiOptions extends CallerOptions {
  /** The version of podfleet. */
  readonly version: string;
}

export interface DockerApi {
  readonly routes: FastifyPluginCallback;
  /** Routes of upgrade requests, which a fastify server does not see. */
  readonly upgrades: readonly UpgradeRoute[];
  /** Ends every open stream. The containers run on. */
  close(): void;
}

const versioned = String.raw`/v:apiVersion(^\d+\.\d+$)`;

export function createDockerApi(options: DockerApiOptions): DockerApi {
  const closing = new AbortController();
  const streaming = { ...options, closing: closing.signal };
  const endpoints: FastifyPluginCallback = (server, _options, done) => {
    prepare(server, options);
    for (const routes of [systemRoutes, readRoutes, changeRoutes, execRoutes]) {
      void server.register(routes(options));
    }
    for (const routes of [waitRoute, logsRoute, attachRoutes]) {
      void server.register(routes(streaming));
    }
    done();
  };
  return {
    routes: (server, _options, done) => {
      void server.register(endpoints);
      void server.register(withUnknownPaths(endpoints), { prefix: versioned });
      done();
    },
    upgrades: [attachUpgrade(streaming), attachWebSocket(streaming), execUpgrade(streaming)],
    close: () => closing.abort(),
  };
}

/** Sets up bodies, errors and headers as Docker has them. */
function prepare(server: FastifyInstance, options: DockerApiOptions): void {
  // Clients send bodies without a content type, and content types without a body.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => {
    done(null, body);
  });
  server.setErrorHandler(async (error, request, reply) => {
    const { status, message } = dockerFailure(clientError(error) ?? error);
    // Defects of podfleet's own API are logged there.
    if (status === 500 && !(error instanceof PodfleetError)) {
      options.onDefect(error, request.routeOptions.url);
    }
    return await reply.status(status).send({ message });
  });
  // Docker's CLI accepts an error's content type in this spelling only.
  server.addHook("onSend", async (_request, reply) => {
    const type = reply.getHeader("content-type");
    if (String(type).startsWith("application/json"))
      reply.header("content-type", "application/json");
  });
  server.addHook<VersionedRoute>("onRequest", async (request, reply) => {
    void reply.headers({
      "api-version": apiVersion,
      "docker-experimental": "false",
      ostype: "linux",
      server: `podfleet/${options.version} (linux)`,
    });
    parseApiVersion(request.params.apiVersion);
  });
}

/** Errors of requests that fastify refuses. */
function clientError(error: unknown): PodfleetError | undefined {
  if (!(error instanceof Error) || !("statusCode" in error)) return undefined;
  const { statusCode } = error;
  if (typeof statusCode !== "number" || statusCode < 400 || statusCode >= 500) return undefined;
  return new PodfleetError("INVALID_INPUT", `Cannot read the request: ${error.message}`, {
    cause: error,
  });
}

function withUnknownPaths(endpoints: FastifyPluginCallback): FastifyPluginCallback {
  return (server, options, done) => {
    endpoints(server, options, done);
    server.all("/*", async ({ method, url }, reply) => {
      const message = `page not found: podfleet does not serve ${method} ${url.split("?")[0]}`;
      return await reply.status(404).send({ message });
    });
  };
}
