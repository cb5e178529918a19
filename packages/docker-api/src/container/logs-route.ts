import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";

import { parseApiVersion } from "../http/api-version.ts";
import {
  callerOf,
  type DockerCaller,
  type StreamingOptions,
  type VersionedRoute,
} from "../http/call.ts";
import { dockerFailure } from "../http/docker-failure.ts";
import { openPlainStream, type PlainStream } from "../http/plain-stream.ts";
import { momentSchema, readQuery, switchSchema } from "../http/query.ts";
import { streamType } from "../stream/frames.ts";
import type { ContainerRoute } from "./container-route.ts";
import { LogFrames } from "./log-frames.ts";
import { type LogsWish, readLogs } from "./read-logs.ts";

type LogsRequest = FastifyRequest<ContainerRoute & VersionedRoute>;

const off = switchSchema.default(false);

const logsQuery = z
  .object({
    follow: off,
    stdout: off,
    stderr: off,
    timestamps: off,
    since: momentSchema.optional(),
    until: momentSchema.optional(),
    /** Lines; a negative number means all, as for dockerd. */
    tail: z
      .string()
      .regex(/^(all|-?\d{1,15})?$/, 'must be a number of lines or "all"')
      .transform((text) => (/^\d+$/.test(text) ? Number(text) : undefined))
      .optional(),
  })
  .refine(({ stdout, stderr }) => stdout || stderr, {
    path: ["stdout"],
    error: 'must be true, or "stderr" must: you must choose at least one stream',
  });

/** A container's output. The head of the reply is sent at once, also when there is no output yet. */
export function logsRoute(options: StreamingOptions): FastifyPluginCallback {
  return (server, _options, done) => {
    server.get<ContainerRoute & VersionedRoute>(
      "/containers/:container/logs",
      async (request, reply) => {
        const query = readQuery(logsQuery, request.query);
        const { caller, container, isFramed, stream } = await openLogs(options, request, reply);
        const frames = new LogFrames({ ...query, isFramed });
        await sendLogs(caller, logsRequest(container, query), { stream, frames });
      },
    );
    done();
  };
}

interface OpenLogs {
  readonly caller: DockerCaller;
  /** The container's id. */
  readonly container: string;
  /** False for a container with a terminal. */
  readonly isFramed: boolean;
  readonly stream: PlainStream;
}

/** Begins the reply to a request for a container's output. @throws PodfleetError UNAUTHENTICATED, CONTAINER_NOT_FOUND, AMBIGUOUS_ID */
export async function openLogs(
  options: StreamingOptions,
  { headers, params }: LogsRequest,
  reply: FastifyReply,
): Promise<OpenLogs> {
  const caller = await callerOf(options, headers);
  const { container, apiVersion } = params;
  const { id, spec } = await caller.api.containers.inspect({ container });
  const isFramed = !spec.tty;
  const contentType = streamType(parseApiVersion(apiVersion), isFramed);
  const stream = openPlainStream(reply, { contentType, closing: options.closing });
  return { caller, container: id, isFramed, stream };
}

/** Sends the output to its end, or until the client is gone. An error is written into the stream, which is broken off then. */
export async function sendLogs(
  caller: DockerCaller,
  request: LogsWish,
  { stream, frames }: { readonly stream: PlainStream; readonly frames: LogFrames },
): Promise<void> {
  const { signal } = stream;
  try {
    for await (const records of readLogs(caller, request, signal)) {
      await stream.write(frames.encode(records));
    }
    stream.end();
  } catch (error) {
    if (!signal.aborted) await stream.write(frames.failure(dockerFailure(error).message));
    stream.destroy();
  }
}

function logsRequest(container: string, query: z.output<typeof logsQuery>): LogsWish {
  const { follow, tail, since, until } = query;
  return {
    ...{ container, follow },
    ...(tail === undefined ? {} : { tail }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
}
