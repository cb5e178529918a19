/**
 * Byte streams out of a container and into it, with back-pressure:
 *
 *     GET /containers/{ref}/export              its root filesystem, as application/x-tar
 *     GET /containers/{ref}/archive?path=       what is at a path in it, as application/x-tar (model/transfer)
 *     PUT /containers/{ref}/archive?path=       a tar archive, plain or compressed, to be unpacked in a directory of it
 *     GET /containers/{ref}/artifacts/{name}    an artifact
 *     PUT /containers/{ref}/artifacts/{name}    stores an artifact
 *
 * A PUT also takes `operationId=<uuidv7>`, and replies as the tRPC mutations do: `{ operationId, container }`.
 */
import type { IncomingMessage } from "node:http";

import { containerReferenceSchema, mutationInput } from "@podfleet/api/requests/fields";
import { artifactNameSchema } from "@podfleet/model/artifact";
import { containerPathSchema } from "@podfleet/model/file";
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";

import type { Callers } from "../services/api-tokens.ts";
import type { Fleet } from "../services/fleet.ts";
import { type ContainerTransfer, readFromContainer } from "../services/host-answers.ts";
import type { Operations } from "../services/operations.ts";
import { performUpload, type Taker } from "../services/upload-mutation.ts";
import { inServerSpan } from "../trace-context.ts";
import { archiveOf } from "./request-body.ts";
import { closedEarly, sendStream } from "./stream-reply.ts";

const containerSchema = z.strictObject({ container: containerReferenceSchema });
const artifactSchema = containerSchema.extend({ name: artifactNameSchema });
const pathSchema = z.strictObject({ path: containerPathSchema });
const operationSchema = z.strictObject(mutationInput);

interface Services {
  readonly callers: Callers;
  readonly fleet: Fleet;
  readonly operations: Operations;
}

export function fileRoutes(services: Services): FastifyPluginAsync {
  return async (server) => {
    server.removeAllContentTypeParsers();
    server.addContentTypeParser("*", (_request, payload, done) => done(null, payload));

    server.get("/containers/:container/export", async (request, reply) => {
      const { container } = containerSchema.parse(request.params);
      const source = { container, request: { kind: "export" } } as const;
      return await send(services, { request, reply, source, contentType: "application/x-tar" });
    });

    server.get("/containers/:container/archive", async (request, reply) => {
      const { container } = containerSchema.parse(request.params);
      const { path } = pathSchema.parse(request.query);
      const source = { container, request: { kind: "copy", path } } as const;
      return await send(services, { request, reply, source, contentType: "application/x-tar" });
    });

    server.put<Upload>("/containers/:container/archive", async (request, reply) => {
      const { container } = containerSchema.parse(request.params);
      const { path, ...rest } = pathSchema.extend(mutationInput).parse(request.query);
      const taker = { verb: "container.copy", path } as const;
      return await receive(services, { request, reply, container, taker, ...rest });
    });

    server.get("/containers/:container/artifacts/:name", async (request, reply) => {
      const { container, name } = artifactSchema.parse(request.params);
      const source = { container, request: { kind: "artifact", name } } as const;
      return await send(services, {
        request,
        reply,
        source,
        contentType: "application/octet-stream",
      });
    });

    server.put<Upload>("/containers/:container/artifacts/:name", async (request, reply) => {
      const { container, name } = artifactSchema.parse(request.params);
      const { operationId } = operationSchema.parse(request.query);
      const taker = { verb: "artifact.add", name } as const;
      return await receive(services, { request, reply, container, taker, operationId });
    });
  };
}

interface Upload {
  Body: IncomingMessage | undefined;
}

interface Download {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly source: Omit<ContainerTransfer, "signal">;
  readonly contentType: string;
}

async function send(
  { callers, fleet }: Services,
  { request, reply, source, contentType }: Download,
): Promise<FastifyReply> {
  await callers.authenticate(request.headers.authorization);
  const signal = closedEarly(reply);
  return await inServerSpan(spanName(request), request.headers, async () => {
    return await sendStream(reply, contentType, readFromContainer(fleet, { ...source, signal }));
  });
}

async function receive(
  services: Services,
  options: {
    readonly request: FastifyRequest<Upload>;
    readonly reply: FastifyReply;
    readonly container: string;
    readonly taker: Taker;
    readonly operationId?: z.infer<typeof operationSchema>["operationId"];
  },
) {
  const { request, reply, operationId, ...target } = options;
  const caller = await services.callers.authenticate(request.headers.authorization);
  const signal = closedEarly(reply);
  const bytes = archiveOf(request.body ?? request.raw);
  try {
    return await inServerSpan(spanName(request), request.headers, async () => {
      return await performUpload(services, { caller, operationId, bytes, signal, ...target });
    });
  } finally {
    await bytes.return(undefined);
    // Reads the rest of the body when the request was refused.
    request.raw.resume();
  }
}

/** `GET /containers/{container}/export` */
function spanName({
  method,
  routeOptions,
}: Pick<FastifyRequest, "method" | "routeOptions">): string {
  return `${method} ${routeOptions.url?.replaceAll(/:(\w+)/g, "{$1}")}`;
}
