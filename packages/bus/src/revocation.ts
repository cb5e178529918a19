/** Puts a changed identity into effect on a running server, which then disconnects revoked users. */
import { connect, credsAuthenticator } from "@nats-io/transport-node";
import { withDeadline } from "@podfleet/base/deadline";
import { PodfleetError } from "@podfleet/model/errors";
import { z } from "zod";

import { mintSystemCredentials } from "./credentials.ts";
import type { NatsIdentity } from "./identity.ts";

const replySchema = z.object({
  data: z.object({ message: z.string() }).optional(),
  error: z.object({ description: z.string() }).optional(),
});

const timeoutMs = 5_000;

/**
 * Sends the account's JWT to the server, which keeps it in its JWT directory. Store the identity before: the server reads a stored one
 * only when it starts.
 * @throws PodfleetError UNAVAILABLE when the server cannot be reached or refuses
 */
export async function publishAccount(identity: NatsIdentity, servers: string): Promise<void> {
  try {
    await withDeadline(update(identity, servers), timeoutMs, () => new Error("No answer in time"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PodfleetError(
      "UNAVAILABLE",
      `Cannot update the account on the NATS server at "${servers}": ${reason}`,
      { cause: error },
    );
  }
}

async function update(identity: NatsIdentity, servers: string): Promise<void> {
  const credentials = new TextEncoder().encode(await mintSystemCredentials(identity));
  const connection = await connect({
    servers,
    authenticator: credsAuthenticator(credentials),
    timeout: timeoutMs,
    reconnect: false,
  });
  try {
    const reply = await connection.request("$SYS.REQ.CLAIMS.UPDATE", identity.accountJwt, {
      timeout: timeoutMs,
    });
    const { error } = replySchema.parse(reply.json());
    if (error) throw new Error(error.description);
  } finally {
    await connection.close();
  }
}
