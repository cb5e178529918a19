/**
 * Checkpoints as archives:
 *
 *     GET /containers/{ref}/checkpoint   the archive of the container's last checkpoint, as `application/x-tar`
 *     POST /containers/restore?name=&host=&operationId=&keep=&tcpEstablished=&fileLocks=&ignoreRootfs=&ignoreStaticIp=&ignoreStaticMac=
 *         a new container from the body, `application/octet-stream`. All parameters are optional, switches are `true` or
 *         `false`. Answers as a mutation does: `{ operationId, container }`, or `{ error }`
 */
import type { IncomingMessage } from "node:http";

import { containerReferenceSchema, hostReferenceSchema } from "@podfleet/api/requests/fields";
import { getContainer } from "@podfleet/db/containers";
import { operationIdSchema } from "@podfleet/model/ids";
import { containerNameSchema } from "@podfleet/model/name";
import type { FastifyPluginAsync } from "fastify";
import { z } from "zod";

import type { Callers } from "../services/api-tokens.ts";
import type { ContainerImports } from "../services/container-import.ts";
import type { Fleet } from "../services/fleet.ts";
import { readTransfer } from "../services/transfer.ts";
import { inServerSpan } from "../trace-context.ts";
import { archiveOf } from "./request-body.ts";
import { closedEarly, sendStream } from "./stream-reply.ts";

const paramsSchema = z.strictObject({ container: containerReferenceSchema });

const switchSchema = z
  .enum(["true", "false"])
  .default("false")
  .transform((text) => text === "true");

/** The switches of model/container/checkpoint as query parameters. */
const querySchema = z.strictObject({
  operationId: operationIdSchema.optional(),
  name: containerNameSchema.optional(),
  host: hostReferenceSchema.optional(),
  keep: switchSchema,
  tcpEstablished: switchSchema,
  fileLocks: switchSchema,
  ignoreRootfs: switchSchema,
  ignoreStaticIp: switchSchema,
  ignoreStaticMac: switchSchema,
});

export function checkpointRoute(options: {
  readonly callers: Callers;
  readonly fleet: Fleet;
  readonly imports: ContainerImports;
}): FastifyPluginAsync {
  const { callers, fleet, imports } = options;
  return async (server) => {
    server.addContentTypeParser("application/octet-stream", (_request, payload, done) =>
      done(null, payload),
    );

    server.get("/containers/:container/checkpoint", async (request, reply) => {
      await callers.authenticate(request.headers.authorization);
      const { container } = paramsSchema.parse(request.params);
      const signal = closedEarly(reply);
      const { headers } = request;
      return await inServerSpan("GET /containers/{ref}/checkpoint", headers, async () => {
        const row = await getContainer(fleet.database, container);
        const source = { kind: "checkpoint", containerId: row.id } as const;
        const pieces = readTransfer(fleet, { host: row.host, request: source, signal });
        return await sendStream(reply, "application/x-tar", pieces);
      });
    });

    server.post<{ Body: IncomingMessage }>("/containers/restore", async (request, reply) => {
      const caller = await callers.authenticate(request.headers.authorization);
      const { operationId, name, host, ...restore } = querySchema.parse(request.query);
      const archive = archiveOf(request.body);
      const signal = closedEarly(reply);
      try {
        return await inServerSpan("POST /containers/restore", request.headers, async () => {
          const wish = { caller, operationId, name, host, options: restore };
          return await imports.perform({ ...wish, archive, signal });
        });
      } finally {
        await archive.return(undefined);
        // Reads the rest of the body when the request was refused or its operation had ended before.
        request.raw.resume();
      }
    });
  };
}
