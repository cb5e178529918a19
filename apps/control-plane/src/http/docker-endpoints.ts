/**
 * Endpoints of the Docker API: the control plane's own listener, for callers with a token, and a Unix socket, whose
 * callers are authenticated by the permissions of its file.
 */
import type { Services } from "@podfleet/api/services/services";
import {
  createDockerApi,
  type DockerApi,
  type DockerApiOptions,
} from "@podfleet/docker-api/docker-api";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";

import type { Callers } from "../services/api-tokens.ts";
import { callerContext } from "../trace-context.ts";
import { version } from "../version.ts";
import { apiContextOf } from "./api-context.ts";
import { closeServer } from "./close-server.ts";
import { serveDockerSocket } from "./docker-socket.ts";
import { logDefect } from "./server.ts";

export interface DockerEndpointsOptions {
  readonly services: Services;
  readonly callers: Callers;
  readonly logger: Logger;
}

/** The name on record for all callers of the socket. */
const socketCaller = { name: "docker-socket" };

export class DockerEndpoints {
  /** Serves the Docker API on the control plane's own listener. */
  readonly api: DockerApi;
  readonly #options: DockerEndpointsOptions;
  #socket: { readonly api: DockerApi; readonly server: FastifyInstance } | undefined;

  constructor(options: DockerEndpointsOptions) {
    this.#options = options;
    this.api = this.#createApi(async (headers) => await apiContextOf(options, headers));
  }

  /** @throws PodfleetError UNAVAILABLE when a process serves at `path`; INVALID_INPUT when nobody can */
  async listen(path: string): Promise<void> {
    const { services, logger } = this.#options;
    const api = this.#createApi(async (headers) => {
      return { services, caller: socketCaller, callerContext: callerContext(headers) };
    });
    this.#socket = { api, server: await serveDockerSocket(path, api, logger) };
    logger.info({ path }, "serving the Docker API");
  }

  /** Closes the socket and ends every open stream. */
  async close(): Promise<void> {
    this.api.close();
    this.#socket?.api.close();
    if (this.#socket) await closeServer(this.#socket.server);
  }

  #createApi(contextOf: DockerApiOptions["contextOf"]): DockerApi {
    const { logger } = this.#options;
    const onDefect = (error: unknown, path: string | undefined): void => {
      logDefect(logger, error, path);
    };
    return createDockerApi({ contextOf, version, onDefect });
  }
}
