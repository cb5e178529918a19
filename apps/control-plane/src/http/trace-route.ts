/** `POST /v1/traces`: OTLP/HTTP, as JSON or protobuf, for callers that have no collector of their own. */
import type { FastifyPluginAsync } from "fastify";

import type { Callers } from "../services/api-tokens.ts";
import type { Traces } from "../services/traces.ts";

const contentTypes = ["application/json", "application/x-protobuf"] as const;

export function traceRoute(options: {
  readonly callers: Callers;
  readonly traces: Traces;
}): FastifyPluginAsync {
  return async (server) => {
    server.removeAllContentTypeParsers();
    server.addContentTypeParser([...contentTypes], { parseAs: "buffer" }, (_request, body, done) =>
      done(null, body),
    );
    server.post<{ Body: Buffer }>(
      "/v1/traces",
      {
        onRequest: async ({ headers }) => {
          await options.callers.authenticate(headers.authorization);
        },
      },
      async (request, reply) => {
        const isJson = request.headers["content-type"]?.startsWith(contentTypes[0]) === true;
        const contentType = isJson ? contentTypes[0] : contentTypes[1];
        await options.traces.receive(request.body, contentType);
        // An empty ExportTraceServiceResponse: nothing was rejected.
        return await reply.type(contentType).send(isJson ? "{}" : Buffer.alloc(0));
      },
    );
  };
}
