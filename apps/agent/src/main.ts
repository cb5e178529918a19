/**
 * The agent of one host: serves its engine over NATS.
 *
 *     settings → engine (containers are found again), NATS → requests are served → the control plane is told
 *
 * SIGTERM stops these in reverse order and leaves the containers running. They run on after SIGKILL too.
 */
import { inspect } from "node:util";

import { AgentClient } from "@podfleet/bus/agent-client";
import { hostIdOfCredentials } from "@podfleet/bus/credentials";
import { serveHost } from "@podfleet/bus/host-server";
import type { MessageServer } from "@podfleet/bus/message-server";
import { Engine } from "@podfleet/engine/engine";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import { startTelemetry } from "@podfleet/telemetry/telemetry";
import { type Logger, pino } from "pino";

import { type AgentConfig, readConfig } from "./config.ts";
import { connectAgent, readCredentials } from "./connection.ts";
import { makeHandlers } from "./handlers.ts";
import { describeHost } from "./host.ts";
import { Reporter } from "./reporter.ts";
import { SessionServer } from "./sessions/session-server.ts";
import { terminationSignal } from "./termination.ts";
import { version } from "./version.ts";

const spansTimeoutMs = 3_000;

async function main(): Promise<void> {
  const termination = terminationSignal();
  const config = readConfig();
  const log = pino({ level: config.logLevel, base: { host: config.hostName } });
  const credentials = await readCredentials(config.natsCredentialsPath);
  const hostId = await hostIdOfCredentials(credentials);
  const connected = Promise.withResolvers<AgentClient>();
  const telemetry = startTelemetry({
    serviceName: "podfleet-agent",
    serviceVersion: version,
    instanceId: hostId,
    hostName: config.hostName,
    exportSpans: async (otlp) => {
      const client = await connected.promise;
      await client.sendSpans(otlp, { timeoutMs: spansTimeoutMs });
    },
    onError: (error) => log.warn({ err: error }, "spans lost"),
  });

  const [engine, bus] = await Promise.all([
    openEngine(config, log),
    connectAgent({ config, credentials, hostId, log }, termination),
  ]);
  if (bus) {
    const client = new AgentClient(bus, hostId);
    connected.resolve(client);
    const host = describeHost(config, hostId, engine.hostFacts());
    const reporter = new Reporter({ client, engine, host, log });
    bus.onEvent((event) => {
      if (event.type === "reconnected" && event.link === "control") reporter.reconnected();
    });
    const sessions = await SessionServer.start({ bus, hostId, sessions: engine.sessions, log });
    const loops = [...reporter.loops, sessions.loop];
    const handlers = makeHandlers({
      engine,
      sessions,
      sendHeartbeat: () => reporter.sendHeartbeat(),
      loops: () => [...loops.map(({ status }) => status), ...engine.loops()],
    });
    const server = await serveHost(bus, hostId, handlers);
    log.info({ hostId, afterMs: Math.round(performance.now()) }, "serving");

    await reporter.run(termination);
    await Promise.all([stopServing(server, log), sessions.stop()]);
    await telemetry.shutdown();
    await bus.close();
  }
  await engine.close();
  log.info("ended; containers go on running");
}

async function openEngine(config: AgentConfig, log: Logger): Promise<Engine> {
  const { dataRoot, runRoot, cgroupParent, runtime, journalBytesMax } = config;
  const engine = await Engine.open({
    dataRoot,
    runRoot,
    cgroupParent,
    runtime,
    journalBytesMax,
    onProblem: ({ error, ...subject }) => log.error({ ...subject, err: error }, "engine problem"),
  });
  log.info({ dataRoot, containers: engine.containers().length }, "engine open");
  return engine;
}

/** Stops serving requests. An operation that is not finished then goes on until the engine closes; the next start gives it an outcome. */
async function stopServing(server: MessageServer, log: Logger): Promise<void> {
  try {
    await server.stop();
  } catch (error) {
    if (!hasCode(error, "TIMEOUT")) throw error;
    log.warn({ reason: error.message }, "ending with requests under way");
  }
}

try {
  await main();
} catch (error) {
  const isOperating = error instanceof PodfleetError && error.code !== "INTERNAL";
  process.stderr.write(`${isOperating ? error.message : inspect(error)}\n`);
  process.exit(1);
}
