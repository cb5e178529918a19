/** Assembles the services that the API's procedures call. */
import { Readable } from "node:stream";

import type { ContainerService } from "@podfleet/api/services/containers";
import type { ExecService } from "@podfleet/api/services/exec";
import type { Services } from "@podfleet/api/services/services";
import type { Loop } from "@podfleet/base/loop";
import type { ChangeFeed } from "@podfleet/db/change-feed";
import { listContainers } from "@podfleet/db/containers";
import { findDatabaseError } from "@podfleet/db/database-error";
import { listEvents } from "@podfleet/db/events";
import { listHosts } from "@podfleet/db/hosts";
import { listImages } from "@podfleet/db/images";
import { getOperation, listOperations } from "@podfleet/db/operations";

import type { LocalSessions } from "../sessions/local-sessions.ts";
import { version } from "../version.ts";
import { createExec, getExecById, resizeExecById, startCreatedExec } from "./created-execs.ts";
import { watchEvents } from "./events.ts";
import { inspectExec, listExecs, resizeExec, startExec, waitForExec } from "./exec.ts";
import type { Fleet } from "./fleet.ts";
import {
  diffContainer,
  getArtifact,
  listArtifacts,
  listProcesses,
  resizeContainer,
  statFile,
} from "./host-answers.ts";
import { inspectContainer } from "./inspect.ts";
import { readLogs } from "./logs.ts";
import { inspectHost, inspectLoops } from "./loops.ts";
import type { Operations } from "./operations.ts";
import { closeSession, listSessions } from "./sessions.ts";
import { watchStats } from "./stats.ts";
import type { Traces } from "./traces.ts";
import { performUpload } from "./upload-mutation.ts";
import { waitForContainer } from "./wait.ts";

export interface ServiceParts {
  readonly fleet: Fleet;
  readonly operations: Operations;
  readonly feed: ChangeFeed;
  readonly sessions: LocalSessions;
  readonly traces: Traces;
  /** This replica's background work. */
  readonly loops: readonly Loop[];
}

export function createServices(parts: ServiceParts): Services {
  const { fleet, operations, feed, sessions, traces, loops } = parts;
  const { database } = fleet;
  return {
    operations: {
      perform: async (request) => await operations.perform(request),
      list: async (request) => await listOperations(database, request),
      get: async (operationId) => await getOperation(database, operationId),
    },
    containers: containerService(fleet),
    artifacts: {
      add: async ({ name, bytes, ...rest }, signal) => {
        const taker = { verb: "artifact.add", name } as const;
        const upload = { ...rest, taker, bytes: Readable.from([bytes]), signal };
        return await performUpload({ fleet, operations }, upload);
      },
      get: async (request, signal) => await getArtifact(fleet, request, signal),
      list: async (container) => await listArtifacts(fleet, container),
    },
    exec: execService(fleet, operations),
    sessions: {
      open: async (request, signal) => await sessions.open(request, signal),
      list: async (request) => await listSessions(fleet, request),
      close: async (request) => await closeSession(fleet, request),
    },
    events: {
      list: async ({ since, until, ...rest }) =>
        await listEvents(database, { ...rest, since: dateOf(since), until: dateOf(until) }),
      watch: ({ after, since, ...rest }, caller) => {
        const filters = { ...rest, since: dateOf(since) };
        return watchEvents(fleet, feed, { filters, after, caller });
      },
    },
    hosts: {
      list: async () => await listHosts(database),
      inspect: async (host) => await inspectHost(fleet, host),
    },
    images: { list: async () => await listImages(database) },
    traces: { get: async (by) => await traces.get(by) },
    system: {
      version,
      findFailure: findDatabaseError,
      loops: async () => await inspectLoops(fleet, loops),
    },
  };
}

function containerService(fleet: Fleet): ContainerService {
  return {
    list: async ({ filters, ...rest }) =>
      await listContainers(fleet.database, { ...rest, ...filters }),
    inspect: async (container) => await inspectContainer(fleet, container),
    wait: async (request, signal) => await waitForContainer(fleet, request, signal),
    logs: (request, signal) => readLogs(fleet, request, signal),
    stats: (request, signal) => watchStats(fleet, request, signal),
    resize: async (request) => await resizeContainer(fleet, request),
    stat: async (request) => await statFile(fleet, request),
    diff: async (container, signal) => await diffContainer(fleet, container, signal),
    top: async (container) => await listProcesses(fleet, container),
  };
}

function execService(fleet: Fleet, operations: Operations): ExecService {
  return {
    start: async (request) => await startExec(operations, request),
    create: async (request) => await createExec(fleet, request),
    startCreated: async (request) => await startCreatedExec({ fleet, operations }, request),
    list: async (request) => await listExecs(fleet, request),
    inspect: async ({ container, exec }) =>
      container === undefined
        ? await getExecById(fleet, exec)
        : await inspectExec(fleet, { container, exec }),
    wait: async (request, signal) => await waitForExec(fleet, request, signal),
    resize: async ({ container, exec, ...size }) => {
      await (container === undefined
        ? resizeExecById(fleet, { exec, size })
        : resizeExec(fleet, { container, exec, ...size }));
    },
  };
}

function dateOf(time: string | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time);
}
