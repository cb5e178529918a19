import type { WaitRequest } from "@podfleet/api/requests/containers";
import type { ContainerInspect } from "@podfleet/model/container/record";
import type { WaitResult } from "@podfleet/model/container/wait";
import { Outage, persist } from "@podfleet/protocol/session/outage";
import type { FastifyPluginCallback } from "fastify";
import { z } from "zod";

import { type StreamingOptions, callerOf } from "../http/call.ts";
import { dockerFailure } from "../http/docker-failure.ts";
import { openPlainStream } from "../http/plain-stream.ts";
import { readQuery } from "../http/query.ts";
import type { ContainerRoute } from "./container-route.ts";

const waitQuery = z.object({
  condition: z
    .enum(["", "not-running", "next-exit", "removed"], {
      error: 'must be one of "not-running", "next-exit", "removed"',
    })
    .default("not-running"),
});

/**
 * The head of the reply is sent when the wait has begun, so that a client can start the container afterwards. The body follows when the
 * condition is met.
 */
export function waitRoute(options: StreamingOptions): FastifyPluginCallback {
  return (server, _options, done) => {
    server.post<ContainerRoute>("/containers/:container/wait", async (request, reply) => {
      const { condition } = readQuery(waitQuery, request.query);
      const caller = await callerOf(options, request.headers);
      const { container: reference } = request.params;
      const container = await caller.api.containers.inspect({ container: reference });
      const { closing } = options;
      const stream = openPlainStream(reply, { contentType: "application/json", closing });
      try {
        const { signal } = stream;
        const wait = waitRequest(container, condition);
        const { containers } = caller.apiUntil(signal);
        const outage = new Outage({ signal }, () => false);
        const result = await persist(async () => await containers.wait(wait), outage);
        stream.end(JSON.stringify(waitBody(result)));
      } catch (error) {
        if (stream.signal.aborted) return stream.destroy();
        const { message } = dockerFailure(error);
        stream.end(JSON.stringify({ StatusCode: unknownExit, Error: { Message: message } }));
      }
    });
    done();
  };
}

/** The exit code that podman prints when it is unknown. */
const unknownExit = -1;

function waitRequest(
  { id, state, run = 0 }: ContainerInspect,
  condition: z.output<typeof waitQuery>["condition"],
): WaitRequest {
  const container = id;
  switch (condition) {
    case "":
    case "not-running":
      return { container, condition: "exit", run };
    case "next-exit": {
      const isUnderWay = state === "running" || state === "paused";
      return { container, condition: "next-exit", run: isUnderWay ? run : run + 1 };
    }
    case "removed":
      return { container, condition: "removed" };
  }
}

function waitBody({ exitCode = 0, exitUnknown }: WaitResult) {
  if (!exitUnknown) return { StatusCode: exitCode };
  return { StatusCode: unknownExit, Error: { Message: "The exit code was lost with its monitor" } };
}
