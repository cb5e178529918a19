/**
 * All NATS subjects. The protocol's version is part of each, so that two versions never read each other's messages.
 *
 *     pf.v1.host.<hostId>.<request>      control plane → agent, request/reply
 *     pf.v1.agent.<hostId>.<message>     agent → control plane; the server lets an agent publish under its own id only
 *
 * Frames of a session's connection (stream/frame), one message each, over the connection for bulk:
 *
 *     pf.v1.host.<hostId>.stream.<connectionId>    client → agent
 *     pf.v1.agent.<hostId>.stream.<connectionId>   agent → client
 */
import type { ConnectionId, HostId } from "@podfleet/model/ids";

import { protocolVersion } from "./protocol-version.ts";

const root = `pf.v${protocolVersion}`;

export const hostRequests = [
  "do",
  "ping",
  "loops",
  "inspect",
  "wait",
  "exec.list",
  "exec.inspect",
  "exec.wait",
  "exec.resize",
  "container.resize",
  "session.open",
  "session.list",
  "session.close",
  "stat",
  "top",
  "stats",
  "artifact.list",
  "journal.locate",
  "journal.read",
  "operation.settle",
  "upload.chunk",
  "transfer.open",
  "transfer.read",
  "transfer.close",
] as const;
export type HostRequest = (typeof hostRequests)[number];

export const agentMessages = ["hello", "heartbeat", "events", "spans"] as const;
export type AgentMessage = (typeof agentMessages)[number];

export function hostSubject(hostId: HostId, request: HostRequest): string {
  return `${root}.host.${hostId}.${request}`;
}

export function agentSubject(hostId: HostId, message: AgentMessage): string {
  return `${root}.agent.${hostId}.${message}`;
}

export function toAgentStreamSubject(hostId: HostId, connectionId: ConnectionId): string {
  return `${root}.host.${hostId}.stream.${connectionId}`;
}

/** Subscription of an agent: frames of all connections to its sessions. */
export function anyToAgentStreamSubject(hostId: HostId): string {
  return `${root}.host.${hostId}.stream.*`;
}

export function toClientStreamSubject(hostId: HostId, connectionId: ConnectionId): string {
  return `${root}.agent.${hostId}.stream.${connectionId}`;
}

/** The connection id in a stream subject of either direction. */
export function connectionIdOfSubject(subject: string): string {
  return subject.split(".")[5] ?? "";
}

/** Subscription of the control plane: the message from every agent. */
export function anyAgentSubject(message: AgentMessage): string {
  return `${root}.agent.*.${message}`;
}

/** The host id in a subject made by `agentSubject`; the NATS server lets only that host's agent publish there. */
export function hostIdOfSubject(subject: string): string {
  return subject.split(".")[3] ?? "";
}

/** Queue group through which control-plane replicas share agents' messages. */
export const controlPlaneQueue = "control-plane";

/**
 * Permissions of the two NATS roles, in the form of a scoped signing key's template; `{{name()}}` is the host id. The server fills it
 * in only where it is a whole token of the subject.
 */
export const natsRoles = {
  agent: {
    publish: [`${root}.agent.{{name()}}.>`],
    subscribe: [`${root}.host.{{name()}}.>`, "_INBOX.{{name()}}.>"],
  },
  controlPlane: {
    publish: [`${root}.host.>`],
    subscribe: [`${root}.agent.>`, "_INBOX.control-plane.>"],
  },
} as const;

export function agentInboxPrefix(hostId: HostId): string {
  return `_INBOX.${hostId}`;
}

export const controlPlaneInboxPrefix = "_INBOX.control-plane";
