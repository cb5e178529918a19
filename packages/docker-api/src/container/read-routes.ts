import { hasCode } from "@podfleet/model/errors";
import type { FastifyPluginCallback } from "fastify";
import { z } from "zod";

import { type CallerOptions, callerOf } from "../http/call.ts";
import { integerSchema, readQuery, switchSchema } from "../http/query.ts";
import type { ContainerRoute } from "./container-route.ts";
import { inspectedContainer } from "./inspected-container.ts";
import { filterContainers, parseFilters } from "./list-filters.ts";
import { listedContainer } from "./listed-container.ts";
import { processTable } from "./process-table.ts";

const listQuery = z.object({
  all: switchSchema.optional(),
  limit: integerSchema.optional(),
  filters: z.string().optional(),
});

const topQuery = z.object({
  ps_args: z.enum(["", "-ef"], { error: 'must be "-ef"' }).optional(),
});

export function readRoutes(options: CallerOptions): FastifyPluginCallback {
  return (server, _options, done) => {
    server.get("/containers/json", async (request) => {
      const query = readQuery(listQuery, request.query);
      const filters = parseFilters(query.filters);
      const { api } = await callerOf(options, request.headers);
      const limit = query.limit !== undefined && query.limit > 0 ? query.limit : undefined;
      // A limit, or a filter that only matches containers that do not run, implies `all`.
      const all = query.all ?? Boolean(limit ?? filters.status ?? filters.exited);
      const containers = filterContainers(await api.containers.list({ all: true }), filters);
      const shown = all ? containers : containers.filter(({ state }) => isUp(state));
      const nowMs = Date.now();
      return shown.slice(0, limit).map((container) => listedContainer(container, nowMs));
    });

    server.get<ContainerRoute>("/containers/:container/json", async (request) => {
      const { api } = await callerOf(options, request.headers);
      const { container } = request.params;
      const inspected = await api.containers.inspect({ container });
      const { id, state } = inspected;
      if (state !== "running") return inspectedContainer(inspected, []);
      try {
        const execs = await api.exec.list({ container: id });
        return inspectedContainer(
          inspected,
          execs.map((exec) => exec.id),
        );
      } catch (error) {
        if (!hasCode(error, "HOST_UNREACHABLE", "CONTAINER_NOT_FOUND")) throw error;
        return inspectedContainer(inspected, []);
      }
    });

    server.get<ContainerRoute>("/containers/:container/top", async (request) => {
      readQuery(topQuery, request.query);
      const { container } = request.params;
      const { api } = await callerOf(options, request.headers);
      return processTable(await api.containers.top({ container }), Date.now());
    });
    done();
  };
}

function isUp(state: string): boolean {
  return state === "running" || state === "paused";
}
