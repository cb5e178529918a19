/** The nats-server configuration that makes an identity hold. */
import { keyPair, type NatsIdentity } from "./identity.ts";

export interface NatsServerConfigOptions {
  readonly identity: NatsIdentity;
  readonly host: string;
  /** -1 lets the server choose; it then says which in a file of `portsFileDirectory`. */
  readonly port: number;
  /** Where the server keeps account JWTs, revocations among them. */
  readonly jwtDirectory: string;
  readonly portsFileDirectory?: string;
}

/** Bytes of one message at most. */
export const payloadBytesMax = 1024 * 1024;

/**
 * Pings a silent client every 2 s and drops it after 2 without an answer, so that requests to a host behind a dead link
 * meet "no responders" within 8 s. A client that messages are still sent to is not pinged: those who send them often must
 * notice by the host's missing heartbeats.
 */
export function renderNatsServerConfig(options: NatsServerConfigOptions): string {
  const { identity } = options;
  const systemAccount = keyPair(identity.systemAccountSeed).getPublicKey();
  const account = keyPair(identity.accountSeed).getPublicKey();
  const portsFile = options.portsFileDirectory;
  return [
    `listen: ${JSON.stringify(`${options.host}:${options.port}`)}`,
    ...(portsFile === undefined ? [] : [`ports_file_dir: ${JSON.stringify(portsFile)}`]),
    `max_payload: ${payloadBytesMax}`,
    `ping_interval: "2s"`,
    `ping_max: 2`,
    `operator: ${identity.operatorJwt}`,
    `system_account: ${systemAccount}`,
    `resolver: { type: full, dir: ${JSON.stringify(options.jwtDirectory)} }`,
    `resolver_preload: {`,
    `  ${systemAccount}: ${identity.systemAccountJwt}`,
    `  ${account}: ${identity.accountJwt}`,
    `}`,
    "",
  ].join("\n");
}
