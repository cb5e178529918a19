/**
 * The identity of the fleet's NATS server: who may use it. An operator signs two accounts: the server's system account and podfleet's
 * account. The latter has one scoped signing key per role; the role's permissions are in the account's JWT, so a user's JWT carries
 * none and is made without asking the server.
 */
import { encodeAccount, encodeOperator, type SigningKey } from "@nats-io/jwt";
import { createAccount, createOperator, fromSeed, type KeyPair } from "@nats-io/nkeys";
import { natsRoles } from "@podfleet/protocol/subject";
import { z } from "zod";

/** The keys, with their seeds: whoever has the file can make credentials of any user. */
export const natsIdentitySchema = z.object({
  operatorSeed: z.string().startsWith("SO"),
  systemAccountSeed: z.string().startsWith("SA"),
  accountSeed: z.string().startsWith("SA"),
  agentRoleSeed: z.string().startsWith("SA"),
  controlPlaneRoleSeed: z.string().startsWith("SA"),
  operatorJwt: z.string(),
  systemAccountJwt: z.string(),
  /** The account's JWT, with the roles and the revocations. */
  accountJwt: z.string(),
  /** Revoked users' public keys with the Unix time in seconds up to which their JWTs count as revoked. */
  revocations: z.record(z.string(), z.number().int()),
});
export type NatsIdentity = z.infer<typeof natsIdentitySchema>;

export async function createIdentity(): Promise<NatsIdentity> {
  const operator = createOperator();
  const systemAccount = createAccount();
  const account = createAccount();
  const seeds = {
    operatorSeed: seedOf(operator),
    systemAccountSeed: seedOf(systemAccount),
    accountSeed: seedOf(account),
    agentRoleSeed: seedOf(createAccount()),
    controlPlaneRoleSeed: seedOf(createAccount()),
  };
  return {
    ...seeds,
    operatorJwt: await encodeOperator("podfleet", operator, {
      system_account: systemAccount.getPublicKey(),
    }),
    systemAccountJwt: await encodeAccount(
      "SYS",
      systemAccount,
      { limits: unlimited },
      { signer: operator },
    ),
    accountJwt: await encodeFleetAccount(seeds, {}),
    revocations: {},
  };
}

/** The identity with `userPublicKey` revoked. `publishAccount` puts it into effect on a running server. */
export async function withRevocation(
  identity: NatsIdentity,
  userPublicKey: string,
  revokedAt: Date,
): Promise<NatsIdentity> {
  const revokedAtSeconds = Math.floor(revokedAt.getTime() / 1000);
  const revocations = { ...identity.revocations, [userPublicKey]: revokedAtSeconds };
  return { ...identity, revocations, accountJwt: await encodeFleetAccount(identity, revocations) };
}

export function keyPair(seed: string): KeyPair {
  return fromSeed(new TextEncoder().encode(seed));
}

type Seeds = Pick<
  NatsIdentity,
  "operatorSeed" | "accountSeed" | "agentRoleSeed" | "controlPlaneRoleSeed"
>;

/** No limits. Each is spelled out: an absent limit counts as zero, and a client that meets a zero limit hangs in its connect. */
const unlimited = {
  conn: -1,
  subs: -1,
  data: -1,
  payload: -1,
  imports: -1,
  exports: -1,
  wildcards: true,
  leaf: -1,
};

/**
 * Permission of an agent to reply: once, on the request's reply subject, within a day. The server's default of two minutes is shorter
 * than some operations.
 */
const oneReply = { max: 1, ttl: 24 * 3600 * 1e9 };

async function encodeFleetAccount(
  seeds: Seeds,
  revocations: NatsIdentity["revocations"],
): Promise<string> {
  const account = {
    limits: unlimited,
    signing_keys: [
      scopedKey("agent", seeds.agentRoleSeed),
      scopedKey("controlPlane", seeds.controlPlaneRoleSeed),
    ],
    revocations,
  };
  const signer = keyPair(seeds.operatorSeed);
  return await encodeAccount("podfleet", keyPair(seeds.accountSeed), account, { signer });
}

function scopedKey(role: keyof typeof natsRoles, seed: string): SigningKey {
  const { publish, subscribe } = natsRoles[role];
  return {
    kind: "user_scope",
    key: keyPair(seed).getPublicKey(),
    role,
    template: {
      subs: -1,
      data: -1,
      payload: -1,
      pub: { allow: [...publish] },
      sub: { allow: [...subscribe] },
      resp: oneReply,
    },
  };
}

function seedOf(pair: KeyPair): string {
  return new TextDecoder().decode(pair.getSeed());
}
