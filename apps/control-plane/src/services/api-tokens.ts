/**
 * API tokens: `pf_`, 8 hex digits that name the token, `_`, and 43 characters of base64url that are its secret. Only
 * the SHA-256 of the whole is stored; the secret has 256 random bits, so no slower hash is needed.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

import { systemClock } from "@podfleet/base/clock";
import { findApiToken, insertApiToken } from "@podfleet/db/api-tokens";
import type { Database } from "@podfleet/db/database";
import type { Caller } from "@podfleet/model/caller";
import { PodfleetError } from "@podfleet/model/errors";
import { z } from "zod";

export const callerNameSchema = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.@-]{0,63}$/, "must match [a-zA-Z0-9][a-zA-Z0-9_.@-]{0,63}");

/** @returns the new token; only its hash is stored */
export async function createApiToken(database: Database, name: string): Promise<string> {
  const token = newToken();
  await insertApiToken(database, { id: token.slice(3, 11), name, sha256: sha256(token) });
  return token;
}

/** The time for which a looked-up token is cached. */
const knownMs = 5_000;
/** The most tokens in the cache; one more empties it. */
const knownMax = 1_000;

interface KnownToken {
  readonly hash: Uint8Array;
  readonly caller: Caller;
  readonly untilMs: number;
}

/** A caller of the API. */
export class Callers {
  readonly #database: Database;
  readonly #known = new Map<string, KnownToken>();

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * The caller who presents this `authorization` header.
   * @throws PodfleetError UNAUTHENTICATED
   */
  async authenticate(authorization: string | undefined): Promise<Caller> {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
    if (token === undefined) {
      throw new PodfleetError(
        "UNAUTHENTICATED",
        'Cannot tell who is calling: the header "authorization" must be "Bearer" and an API token',
      );
    }
    const hash = sha256(token);
    const id = /^pf_([0-9a-f]{8})_[A-Za-z0-9_-]{43}$/.exec(token)?.[1];
    const known = id === undefined ? undefined : await this.#find(id);
    if (known && timingSafeEqual(hash, known.hash)) return known.caller;
    throw new PodfleetError("UNAUTHENTICATED", "Cannot accept the API token: it is not known");
  }

  async #find(id: string): Promise<KnownToken | undefined> {
    const known = this.#known.get(id);
    if (known && systemClock.nowMs() < known.untilMs) return known;
    this.#known.delete(id);
    const row = await findApiToken(this.#database, id);
    if (!row) return undefined;
    const untilMs = systemClock.nowMs() + knownMs;
    const found = { hash: row.sha256, caller: { name: row.name }, untilMs };
    if (this.#known.size === knownMax) this.#known.clear();
    this.#known.set(id, found);
    return found;
  }
}

function newToken(): string {
  return `pf_${randomBytes(4).toString("hex")}_${randomBytes(32).toString("base64url")}`;
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
