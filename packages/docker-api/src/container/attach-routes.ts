import type { FastifyPluginCallback } from "fastify";

import { callerOf, type StreamingOptions, type VersionedRoute } from "../http/call.ts";
import { needsUpgrade } from "../http/needs-upgrade.ts";
import { readQuery } from "../http/query.ts";
import { sizeQuery } from "../http/size-query.ts";
import { attachQuery } from "./attach-query.ts";
import type { ContainerRoute } from "./container-route.ts";
import { LogFrames } from "./log-frames.ts";
import { openLogs, sendLogs } from "./logs-route.ts";

/** The attach route without an upgrade, for past output only. Live streams need an upgrade: attach-upgrade.ts. */
export function attachRoutes(options: StreamingOptions): FastifyPluginCallback {
  return (server, _options, done) => {
    server.post<ContainerRoute & VersionedRoute>(
      "/containers/:container/attach",
      async (request, reply) => {
        const query = readQuery(attachQuery, request.query);
        if (query.stream) throw needsUpgrade();
        const { caller, container, isFramed, stream } = await openLogs(options, request, reply);
        const frames = new LogFrames({ ...query, timestamps: false, isFramed });
        await sendLogs(caller, { container }, { stream, frames });
      },
    );

    server.post<ContainerRoute>("/containers/:container/resize", async (request, reply) => {
      const { h: height, w: width } = readQuery(sizeQuery, request.query);
      const { container } = request.params;
      const { api } = await callerOf(options, request.headers);
      await api.containers.resize({ container, height, width });
      return await reply.status(200).send();
    });
    done();
  };
}
