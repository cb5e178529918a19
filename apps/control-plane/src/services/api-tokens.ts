/**
 * Callers' tokens: `pf_`, 8 hex digits that name the token, `_`, and 43 characters of base64url that are its secret. Only
 * the SHA-256 of the whole is stored; the secret has 256 random bits, so no slower hash is needed.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { hostname } from "node:os";

import { findApiToken, insertApiToken, replaceApiToken } from "@podfleet/db/api-tokens";
import type { Database } from "@podfleet/db/database";
import { PodfleetError } from "@podfleet/model/errors";
import { z } from "zod";

export interface Caller {
  readonly name: string;
}

export const callerNameSchema = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.@-]{0,63}$/, "must match [a-zA-Z0-9][a-zA-Z0-9_.@-]{0,63}");

/** @returns the new token, which cannot be read again */
export async function createApiToken(database: Database, name: string): Promise<string> {
  const id = randomBytes(4).toString("hex");
  const token = newToken(id);
  await insertApiToken(database, { id, name, sha256: sha256(token) });
  return token;
}

/**
 * A token for those who call on the socket at `path`, in place of the one that the process before had for it. It is nowhere but in
 * this process.
 */
export async function createSocketToken(database: Database, path: string): Promise<string> {
  const id = sha256(`${hostname()}:${path}`).toString("hex").slice(0, 8);
  const token = newToken(id);
  await replaceApiToken(database, { id, name: "docker-socket", sha256: sha256(token) });
  return token;
}

/**
 * Who presents this `authorization` header.
 * @throws PodfleetError UNAUTHENTICATED
 */
export async function authenticate(
  database: Database,
  authorization: string | undefined,
): Promise<Caller> {
  const token = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
  if (token === undefined) {
    throw new PodfleetError(
      "UNAUTHENTICATED",
      'Cannot tell who is calling: the header "authorization" must be "Bearer" and an API token',
    );
  }
  const id = /^pf_([0-9a-f]{8})_[A-Za-z0-9_-]{43}$/.exec(token)?.[1];
  const row = id === undefined ? undefined : await findApiToken(database, id);
  if (!row || !timingSafeEqual(sha256(token), row.sha256)) {
    throw new PodfleetError("UNAUTHENTICATED", "Cannot accept the API token: it is not known here");
  }
  return { name: row.name };
}

function newToken(id: string): string {
  return `pf_${id}_${randomBytes(32).toString("base64url")}`;
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
