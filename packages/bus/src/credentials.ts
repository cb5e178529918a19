/** NATS credentials in the text form of a `.creds` file: a user's JWT and its private key. */
import { encodeUser, fmtCreds, parseCreds } from "@nats-io/jwt";
import { createUser } from "@nats-io/nkeys";
import { PodfleetError } from "@podfleet/model/errors";
import { type HostId, hostIdSchema } from "@podfleet/model/ids";

import { keyPair, type NatsIdentity } from "./identity.ts";

/** Makes credentials of the agent of `hostId`, which can use the subjects of that host only. */
export async function mintAgentCredentials(
  identity: NatsIdentity,
  hostId: HostId,
): Promise<string> {
  return await mintScoped(identity, hostId, identity.agentRoleSeed);
}

/** Makes the credentials that the replicas of the control plane share. */
export async function mintControlPlaneCredentials(identity: NatsIdentity): Promise<string> {
  return await mintScoped(identity, "control-plane", identity.controlPlaneRoleSeed);
}

/** Makes credentials of the server's system account, which can replace an account's JWT on the running server. */
export async function mintSystemCredentials(identity: NatsIdentity): Promise<string> {
  const user = createUser();
  const jwt = await encodeUser("system", user, keyPair(identity.systemAccountSeed), {});
  return new TextDecoder().decode(fmtCreds(jwt, user));
}

export interface CredentialsHolder {
  /** The host id for an agent. */
  readonly name: string;
  readonly userPublicKey: string;
}

/** @throws PodfleetError INVALID_INPUT when `credentials` is not the text of a `.creds` file */
export async function readCredentials(credentials: string): Promise<CredentialsHolder> {
  try {
    const { uc } = await parseCreds(new TextEncoder().encode(credentials));
    return { name: uc.name, userPublicKey: uc.sub };
  } catch (error) {
    throw new PodfleetError(
      "INVALID_INPUT",
      "Cannot read the NATS credentials: must be the text of a .creds file",
      { cause: error },
    );
  }
}

/** The host of an agent's credentials. @throws PodfleetError INVALID_INPUT when they are not an agent's */
export async function hostIdOfCredentials(credentials: string): Promise<HostId> {
  const { name } = await readCredentials(credentials);
  const parsed = hostIdSchema.safeParse(name);
  if (parsed.success) return parsed.data;
  throw new PodfleetError(
    "INVALID_INPUT",
    `Cannot use the NATS credentials of "${name}" for an agent: the name must be a host id of 16 lower-case hex digits`,
  );
}

async function mintScoped(identity: NatsIdentity, name: string, roleSeed: string): Promise<string> {
  const user = createUser();
  const jwt = await encodeUser(
    name,
    user,
    keyPair(roleSeed),
    { issuer_account: keyPair(identity.accountSeed).getPublicKey() },
    { scopedUser: true },
  );
  return new TextDecoder().decode(fmtCreds(jwt, user));
}
