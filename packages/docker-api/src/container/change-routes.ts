/** Routes that change a container, through podfleet's own mutations. */
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { FastifyPluginCallback } from "fastify";
import { z } from "zod";

import { type CallerOptions, callerOf, type DockerCaller } from "../http/call.ts";
import { integerSchema, readQuery, switchSchema } from "../http/query.ts";
import type { ContainerRoute } from "./container-route.ts";

const stopQuery = z.object({
  /** Seconds; a negative number waits without a limit. */
  t: integerSchema.optional(),
  signal: z.literal("", { error: "must be absent: the signal is the container's own" }).optional(),
});
const startQuery = z.object({
  checkpoint: z.literal("", { error: 'must be absent: use "podfleet restore"' }).optional(),
});
const killQuery = z.object({ signal: z.string().optional() });
const renameQuery = z.object({ name: z.string().min(1, "must not be empty") });
const removeQuery = z.object({
  force: switchSchema.optional(),
  link: switchSchema.refine((isOn) => !isOn, 'must be "false": there are no links').optional(),
});

/** A year: the longest timeout of podfleet's API. */
const timeoutSecondsMax = 31_536_000;

/** 304 Not Modified: the container is in this state already. */
type Status = 204 | 304;

interface Target {
  readonly container: string;
  readonly query: unknown;
}

type Change = (caller: DockerCaller, target: Target) => Promise<Status>;

const changes: Readonly<Record<string, Change>> = {
  start,
  stop,
  restart,
  kill,
  rename,
  pause: async ({ api }, { container }) => {
    await api.containers.pause({ container });
    return 204;
  },
  unpause: async ({ api }, { container }) => {
    await api.containers.unpause({ container });
    return 204;
  },
};

export function changeRoutes(options: CallerOptions): FastifyPluginCallback {
  return (server, _options, done) => {
    for (const [verb, change] of Object.entries(changes)) {
      server.post<ContainerRoute>(`/containers/:container/${verb}`, async (request, reply) => {
        const target = { container: request.params.container, query: request.query };
        const status = await change(await callerOf(options, request.headers), target);
        return await reply.status(status).send();
      });
    }
    server.delete<ContainerRoute>("/containers/:container", async (request, reply) => {
      const { force = false } = readQuery(removeQuery, request.query);
      const { container } = request.params;
      const { api } = await callerOf(options, request.headers);
      await api.containers.remove({ container, force });
      return await reply.status(204).send();
    });
    done();
  };
}

async function start({ api }: DockerCaller, { container, query }: Target): Promise<Status> {
  readQuery(startQuery, query);
  try {
    await api.containers.start({ container });
    return 204;
  } catch (error) {
    if (isRefusedIn("running", error)) return 304;
    throw error;
  }
}

async function stop({ api }: DockerCaller, { container, query }: Target): Promise<Status> {
  const timeout = timeoutOf(query);
  try {
    await api.containers.stop({ container, ...timeout });
    return 204;
  } catch (error) {
    if (hasCode(error, "ALREADY_STOPPED") || isRefusedIn("configured", error)) return 304;
    if (!isRefusedIn("paused", error)) throw error;
  }
  const steps = [{ verb: "container.unpause" }, { verb: "container.stop", ...timeout }] as const;
  const result = await api.containers.batch({ container, steps: [...steps] });
  const failed = result.steps?.find((step) => step.status === "failed");
  if (failed) throw PodfleetError.fromWire(failed.error);
  return 204;
}

async function restart({ api }: DockerCaller, { container, query }: Target): Promise<Status> {
  await api.containers.restart({ container, ...timeoutOf(query) });
  return 204;
}

async function kill({ api }: DockerCaller, { container, query }: Target): Promise<Status> {
  const { signal } = readQuery(killQuery, query);
  await api.containers.kill({ container, ...(signal ? { signal } : {}) });
  return 204;
}

async function rename({ api }: DockerCaller, { container, query }: Target): Promise<Status> {
  const { name } = readQuery(renameQuery, query);
  await api.containers.rename({ container, name: name.replace(/^\//, "") });
  return 204;
}

function timeoutOf(query: unknown): { timeoutSeconds?: number } {
  const { t } = readQuery(stopQuery, query);
  if (t === undefined) return {};
  return { timeoutSeconds: t < 0 ? timeoutSecondsMax : t };
}

function isRefusedIn(state: string, error: unknown): boolean {
  return hasCode(error, "STATE_INVALID") && error.details?.["state"] === state;
}
