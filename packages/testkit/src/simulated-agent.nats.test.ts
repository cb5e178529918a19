import { type AgentHandlers, serveAgents } from "@podfleet/bus/agent-server";
import { connectBus } from "@podfleet/bus/connection";
import { HostClient } from "@podfleet/bus/host-client";
import { containerSpecSchema } from "@podfleet/model/container/spec";
import type { AgentEvent } from "@podfleet/model/event";
import { newContainerId, newOperationId } from "@podfleet/model/ids";
import { controlPlaneInboxPrefix } from "@podfleet/protocol/subject";
import { expect, test } from "vitest";

import { startNatsServer } from "./nats-server.ts";
import { SimulatedAgent } from "./simulated-agent.ts";
import { waitFor } from "./wait-for.ts";

test("a simulated agent reports each commit once, across its own restarts", async () => {
  await using nats = await startNatsServer();
  const bus = await connectBus({
    servers: nats.url,
    credentials: await nats.controlPlaneCredentials(),
    inboxPrefix: controlPlaneInboxPrefix,
    name: "control-plane",
  });
  const events: AgentEvent[] = [];
  const handlers: AgentHandlers = {
    hello: async () => ({ committedSeq: events.length }),
    events: async (_hostId, request) => {
      events.push(...request.events.filter(({ seq }) => seq === events.length + 1));
      return { committedSeq: events.length };
    },
    heartbeat: async () => undefined,
    spans: async () => undefined,
  };
  const server = await serveAgents(bus, handlers);
  const client = new HostClient(bus);
  const quick = { timeoutMs: 2_000 };

  const agent = await SimulatedAgent.start({ nats, name: "host-1" });
  const { hostId, host } = agent;
  const containerId = newContainerId();
  const create = {
    operationId: newOperationId(),
    action: {
      verb: "container.create" as const,
      containerId,
      name: "web",
      spec: containerSpecSchema.parse({ image: "busybox" }),
    },
  };
  const start = {
    operationId: newOperationId(),
    action: { verb: "container.start" as const, containerId, recursive: true },
  };
  for (const payload of [create, start, start]) {
    const { outcome } = await client.request(hostId, "do", { payload, ...quick });
    expect(outcome.status).toBe("succeeded");
  }
  const poll = { containerId, condition: "exit", timeoutMs: 5_000 } as const;
  const waiting = client.request(hostId, "wait", { payload: poll, timeoutMs: 6_000 });
  await client.request(hostId, "ping", { payload: {}, ...quick });
  host.exit(containerId, 7);
  expect(await waiting).toMatchObject({ state: "met", run: 1, exitCode: 7 });
  await waitFor(() => events.length === 3, { what: "3 events" });
  await agent[Symbol.asyncDispose]();

  const again = await SimulatedAgent.start({ nats, name: "host-1", hostId, host });
  const remove = {
    operationId: newOperationId(),
    action: { verb: "container.remove" as const, containerId, force: false, dependents: false },
  };
  await client.request(hostId, "do", { payload: remove, ...quick });
  await waitFor(() => events.length === 4, { what: "4 events" });
  expect(events.map(({ type }) => type)).toEqual([
    "container.create",
    "container.start",
    "container.died",
    "container.remove",
  ]);
  await again[Symbol.asyncDispose]();
  await server.stop();
  await bus.close();
});
