/** Handlers of the control plane's requests. They call the engine and do not wait for the network. */
import type { LoopStatus } from "@podfleet/base/loop";
import type { HostHandlers } from "@podfleet/bus/host-server";
import type { Engine } from "@podfleet/engine/engine";

import type { SessionServer } from "./sessions/session-server.ts";

export interface HandlerParts {
  readonly engine: Engine;
  readonly sessions: SessionServer;
  /** Sends a heartbeat to every replica; the reply to a ping reaches one only. */
  readonly sendHeartbeat: () => void;
  /** The status of all loops of the agent. */
  readonly loops: () => LoopStatus[];
}

export function makeHandlers({ engine, sessions, ...agent }: HandlerParts): HostHandlers {
  return {
    ...sessions.handlers(),
    /** Performs the operation, also when the caller is gone or the agent is stopping: the outcome is in the host's event log. */
    do: async ({ operationId, action }) => ({
      outcome: await engine.perform({ operationId, action }),
    }),
    "operation.settle": async ({ operationId }) => engine.settle(operationId),
    ping: async () => {
      agent.sendHeartbeat();
      return {};
    },
    loops: async () => ({ loops: agent.loops() }),
    inspect: async ({ containerId }) => engine.inspect(containerId),
    wait: async (request, signal) => await engine.wait(request, signal),
    "exec.list": async ({ containerId }) => ({ sessions: engine.execs.list(containerId) }),
    "exec.inspect": async (reference) => ({ session: engine.execs.inspect(reference) }),
    "exec.wait": async (request, signal) => ({ session: await engine.execs.wait(request, signal) }),
    "exec.resize": async (request) => {
      await engine.execs.resize(request);
      return {};
    },
    "container.resize": async ({ containerId, size }) => {
      await engine.resize(containerId, size);
      return {};
    },
    stat: async (request) => {
      const stat = await engine.statPath(request);
      return stat ? { stat } : {};
    },
    top: async ({ containerId }) => ({ processes: await engine.processes(containerId) }),
    stats: async ({ containerId }) => ({ usage: await engine.usage(containerId) }),
    "artifact.list": async ({ containerId }) => ({
      artifacts: await engine.artifacts(containerId),
    }),
    "journal.locate": async (request) => await engine.locateJournal(request),
    "journal.read": async (request, signal) => await engine.readJournal(request, signal),
    "transfer.open": async (request) => await engine.openTransfer(request),
    "transfer.read": async ({ transferId, ...range }, signal) =>
      await engine.readTransfer(transferId, range, signal),
    "transfer.close": async ({ transferId }) => {
      await engine.closeTransfer(transferId);
      return {};
    },
    "upload.chunk": async ({ uploadId, offset, bytes }) =>
      await engine.appendUploadChunk(uploadId, offset, bytes),
  };
}
