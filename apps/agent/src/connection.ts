/**
 * The agent's connection to NATS. The agent dials out and never gives up: its containers run, exit and restart meanwhile,
 * and what happened is reported later.
 */
import { readFile } from "node:fs/promises";

import { type Bus, type BusEvent, connectBus } from "@podfleet/bus/connection";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { HostId } from "@podfleet/model/ids";
import { agentInboxPrefix } from "@podfleet/protocol/subject";
import type { Logger } from "pino";

import type { AgentConfig } from "./config.ts";

export interface ConnectionOptions {
  readonly config: AgentConfig;
  readonly credentials: string;
  readonly hostId: HostId;
  readonly log: Logger;
}

const attemptTimeoutMs = 5_000;

/**
 * Resolves once connected, however long it takes; with nothing when `signal` is aborted first.
 * @throws PodfleetError on anything but an unreachable server
 */
export async function connectAgent(
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<Bus | undefined> {
  const { config, credentials, hostId, log } = options;
  while (!signal.aborted) {
    try {
      return await connectBus({
        servers: config.natsUrl,
        credentials,
        inboxPrefix: agentInboxPrefix(hostId),
        name: `agent ${config.hostName}`,
        connectTimeoutMs: attemptTimeoutMs,
        onEvent: (event) => logEvent(log, event),
      });
    } catch (error) {
      if (!hasCode(error, "UNAVAILABLE")) throw error;
      log.warn({ natsUrl: config.natsUrl, reason: error.message }, "NATS unreachable, trying on");
    }
  }
  return undefined;
}

/** @throws PodfleetError INVALID_INPUT when the file cannot be read */
export async function readCredentials(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot read the NATS credentials that PODFLEET_NATS_CREDENTIALS names: ${reason}`,
      { cause },
    );
  }
}

function logEvent(log: Logger, event: BusEvent): void {
  switch (event.type) {
    case "disconnected":
      return log.warn({ link: event.link }, "NATS disconnected");
    case "reconnected":
      return log.info({ link: event.link }, "NATS reconnected");
    case "permission-denied":
      return log.error(event, "NATS permission denied");
    case "error":
      return log.error({ link: event.link, err: event.error }, "NATS error");
  }
}
