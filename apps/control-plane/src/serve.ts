/** Runs a replica of the control plane until SIGTERM or SIGINT. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";

import { type Bus, type BusEvent, connectBus } from "@podfleet/bus/connection";
import { migrateDatabase } from "@podfleet/db/migrate";
import { PodfleetError } from "@podfleet/model/errors";
import { controlPlaneInboxPrefix } from "@podfleet/protocol/subject";
import { startTelemetry } from "@podfleet/telemetry/telemetry";
import { type Logger, pino } from "pino";

import type { Config } from "./config.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { version } from "./version.ts";

/**
 * Resolves when the replica has ended.
 * @throws PodfleetError UNAVAILABLE when Postgres or NATS cannot be reached or the address is taken
 */
export async function serve(config: Config): Promise<void> {
  const logger = pino({ name: "control-plane", level: config.logLevel });
  const ended = endSignal();
  const started = Promise.withResolvers<ControlPlane>();
  const telemetry = startTelemetry({
    serviceName: "podfleet-control-plane",
    serviceVersion: version,
    instanceId: `${process.pid}`,
    exportSpans: async (otlp) => {
      const { traces } = await started.promise;
      await traces.receive(otlp, "application/x-protobuf");
    },
    onError: (err) => logger.warn({ err }, "spans lost"),
  });
  await migrateDatabase(config.databaseUrl);
  const bus = await connect(config, logger);
  const controlPlane = await startControlPlane({ config, bus, logger });
  started.resolve(controlPlane);
  logger.info({ url: controlPlane.url, version }, "listening");

  logger.info({ signal: await ended }, "ending");
  await controlPlane.drain();
  await telemetry.shutdown();
  await bus.close();
  await controlPlane.close();
  logger.info("ended");
}

/** Resolves with the first signal that asks the process to end. A second one has the system's default effect and ends it at once. */
async function endSignal(): Promise<string> {
  const abort = new AbortController();
  const { signal } = abort;
  const first = await Promise.race(
    ["SIGTERM", "SIGINT"].map(async (name) => {
      // Safe to ignore: the abort below removes the listener for the other signal.
      await once(process, name, { signal }).catch(() => undefined);
      return name;
    }),
  );
  abort.abort();
  return first;
}

async function connect(config: Config, logger: Logger): Promise<Bus> {
  return await connectBus({
    servers: config.natsUrl,
    credentials: await readCredentials(config.natsCredentialsPath),
    inboxPrefix: controlPlaneInboxPrefix,
    name: "podfleet control-plane",
    onEvent: (event) => logBusEvent(logger, event),
  });
}

async function readCredentials(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PodfleetError("INVALID_INPUT", `Cannot read the NATS credentials: ${reason}`, {
      cause: error,
    });
  }
}

function logBusEvent(logger: Logger, event: BusEvent): void {
  switch (event.type) {
    case "reconnected":
      return logger.info({ link: event.link }, "reconnected to NATS");
    case "disconnected":
      return logger.warn({ link: event.link }, "lost the connection to NATS");
    case "permission-denied":
      return logger.error(event, "permission denied on NATS");
    case "error":
      return logger.error({ link: event.link, err: event.error }, "failure on NATS");
  }
}
