/** `GET /containers/{ref}/checkpoint`: the archive of the container's last checkpoint, as `application/x-tar`. */
import { getContainer } from "@podfleet/db/containers";
import type { FastifyPluginAsync } from "fastify";
import { z } from "zod";

import { containerReferenceSchema } from "../api/input.ts";
import { authenticate } from "../services/api-tokens.ts";
import type { Fleet } from "../services/fleet.ts";
import { readTransfer } from "../services/transfer.ts";
import { inServerSpan } from "../trace-context.ts";
import { closedEarly, sendStream } from "./stream-reply.ts";

const paramsSchema = z.strictObject({ container: containerReferenceSchema });

export function checkpointRoute({ fleet }: { readonly fleet: Fleet }): FastifyPluginAsync {
  return async (server) => {
    server.get("/containers/:container/checkpoint", async (request, reply) => {
      await authenticate(fleet.database, request.headers.authorization);
      const { container } = paramsSchema.parse(request.params);
      const signal = closedEarly(reply);
      return await inServerSpan(
        "GET /containers/{container}/checkpoint",
        request.headers,
        async () => {
          const row = await getContainer(fleet.database, container);
          const source = { kind: "checkpoint", containerId: row.id } as const;
          const pieces = readTransfer(fleet, { host: row.host, request: source, signal });
          return await sendStream(reply, "application/x-tar", pieces);
        },
      );
    });
  };
}
