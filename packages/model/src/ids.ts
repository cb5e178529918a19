import { v7 as uuidv7 } from "uuid";
import { z } from "zod";

/** 64 lower-case hex digits, as libpod's and Docker's container ids. */
export const containerIdSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits")
  .brand<"ContainerId">();
export type ContainerId = z.infer<typeof containerIdSchema>;

/** 64 lower-case hex digits, as podman's ids of exec sessions. */
export const execIdSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits")
  .brand<"ExecId">();
export type ExecId = z.infer<typeof execIdSchema>;

/** Names a host in NATS subjects and in its NATS user: 16 lower-case hex digits. It outlives a change of the host's name. */
export const hostIdSchema = z
  .string()
  .regex(/^[0-9a-f]{16}$/, "must be 16 lower-case hex digits")
  .brand<"HostId">();
export type HostId = z.infer<typeof hostIdSchema>;

/** A UUIDv7 (RFC 9562) chosen by the caller, so that a retry is recognised as one. */
export const operationIdSchema = z
  .uuid({ version: "v7", error: "must be a UUID of version 7" })
  .brand<"OperationId">();
export type OperationId = z.infer<typeof operationIdSchema>;

/** A UUIDv7 chosen by the client that opens the session, so that opening it again resumes it. It is no secret. */
export const sessionIdSchema = z
  .uuid({ version: "v7", error: "must be a UUID of version 7" })
  .brand<"SessionId">();
export type SessionId = z.infer<typeof sessionIdSchema>;

/** One connection of a client to a session, made up by the replica that holds it: 16 lower-case hex digits. */
export const connectionIdSchema = z
  .string()
  .regex(/^[0-9a-f]{16}$/, "must be 16 lower-case hex digits")
  .brand<"ConnectionId">();
export type ConnectionId = z.infer<typeof connectionIdSchema>;

/** Digest of the image's configuration: `sha256:` and 64 hex digits. */
export const imageIdSchema = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, 'must be "sha256:" and 64 lower-case hex digits')
  .brand<"ImageId">();
export type ImageId = z.infer<typeof imageIdSchema>;

/** W3C trace id: 32 lower-case hex digits. */
export const traceIdSchema = z.string().regex(/^[0-9a-f]{32}$/, "must be 32 lower-case hex digits");

export function newContainerId(): ContainerId {
  return containerIdSchema.parse(randomHex(32));
}

export function newHostId(): HostId {
  return hostIdSchema.parse(randomHex(8));
}

export function newOperationId(): OperationId {
  return operationIdSchema.parse(uuidv7());
}

export function newConnectionId(): ConnectionId {
  return connectionIdSchema.parse(randomHex(8));
}

export function newSessionId(): SessionId {
  return sessionIdSchema.parse(uuidv7());
}

function randomHex(byteCount: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(byteCount));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
