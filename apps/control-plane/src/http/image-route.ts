/**
 * `POST /images/load?operationId=<uuidv7>&host=<name>&host=<name>`: the body is an image archive, streamed to the hosts as it
 * comes in; both parameters are optional. Answers ImageLoadResult (model/image), or `{ error }`.
 */
import type { IncomingMessage } from "node:http";

import { hostReferenceSchema } from "@podfleet/api/requests/fields";
import { operationIdSchema } from "@podfleet/model/ids";
import type { FastifyPluginAsync } from "fastify";
import { z } from "zod";

import type { Callers } from "../services/api-tokens.ts";
import type { ImageLoads } from "../services/image-load.ts";
import { inServerSpan } from "../trace-context.ts";
import { archiveOf } from "./request-body.ts";
import { closedEarly } from "./stream-reply.ts";

const querySchema = z.strictObject({
  operationId: operationIdSchema.optional(),
  host: z
    .union([
      hostReferenceSchema.transform((host) => [host]),
      z.array(hostReferenceSchema).max(1000),
    ])
    .default([]),
});

export function imageRoute(options: {
  readonly callers: Callers;
  readonly imageLoads: ImageLoads;
}): FastifyPluginAsync {
  return async (server) => {
    server.addContentTypeParser("application/octet-stream", (_request, payload, done) =>
      done(null, payload),
    );
    server.post<{ Body: IncomingMessage }>("/images/load", async (request, reply) => {
      const caller = await options.callers.authenticate(request.headers.authorization);
      const { operationId, host: hosts } = querySchema.parse(request.query);
      const archive = archiveOf(request.body);
      const signal = closedEarly(reply);
      const load = { caller, operationId, hosts, archive, signal };
      try {
        return await inServerSpan("POST /images/load", request.headers, async () => {
          return await options.imageLoads.load(load);
        });
      } finally {
        // Reads the rest of the body when the request was refused or its operation had ended before.
        request.raw.resume();
      }
    });
  };
}
