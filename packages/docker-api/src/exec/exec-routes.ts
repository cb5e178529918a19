import type { FastifyPluginCallback } from "fastify";

import type { ContainerRoute } from "../container/container-route.ts";
import { readBody } from "../http/body.ts";
import { type CallerOptions, callerOf } from "../http/call.ts";
import { needsUpgrade } from "../http/needs-upgrade.ts";
import { readQuery } from "../http/query.ts";
import { sizeQuery } from "../http/size-query.ts";
import { execCreateBody, execSpecOf, execStartBody } from "./exec-options.ts";
import { parseExecId, startExec } from "./exec-start.ts";
import { inspectedExec } from "./inspected-exec.ts";

interface ExecRoute {
  Params: { readonly exec: string };
}

/** The routes of exec sessions. An attached start needs an upgrade: exec-upgrade.ts. */
export function execRoutes(options: CallerOptions): FastifyPluginCallback {
  return (server, _options, done) => {
    server.post<ContainerRoute>("/containers/:container/exec", async (request, reply) => {
      const spec = execSpecOf(readBody(execCreateBody, request.body));
      const { container } = request.params;
      const { api } = await callerOf(options, request.headers);
      const { exec } = await api.exec.create({ container, spec });
      return await reply.status(201).send({ Id: exec.id });
    });

    server.post<ExecRoute>("/exec/:exec/start", async (request, reply) => {
      const exec = parseExecId(request.params.exec);
      const { Detach, ConsoleSize } = readBody(execStartBody, request.body);
      if (!Detach) throw needsUpgrade();
      await startExec(await callerOf(options, request.headers), exec, ConsoleSize ?? undefined);
      return await reply.status(200).send();
    });

    server.get<ExecRoute>("/exec/:exec/json", async (request) => {
      const exec = parseExecId(request.params.exec);
      const { api } = await callerOf(options, request.headers);
      return inspectedExec(await api.exec.inspect({ exec }));
    });

    server.post<ExecRoute>("/exec/:exec/resize", async (request, reply) => {
      const exec = parseExecId(request.params.exec);
      const { h: height, w: width } = readQuery(sizeQuery, request.query);
      const { api } = await callerOf(options, request.headers);
      await api.exec.resize({ exec, height, width });
      return await reply.status(200).send();
    });
    done();
  };
}
