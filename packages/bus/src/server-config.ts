/** The configuration of a nats-server that enforces an identity. */
import { keyPair, type NatsIdentity } from "./identity.ts";

export interface NatsServerConfigOptions {
  readonly identity: NatsIdentity;
  readonly host: string;
  /** -1 lets the server choose one, which it writes to a file in `portsFileDirectory`. */
  readonly port: number;
  /** Directory in which the server keeps account JWTs, with their revocations. */
  readonly jwtDirectory: string;
  readonly portsFileDirectory?: string;
}

/** Most bytes of one message. */
export const payloadBytesMax = 1024 * 1024;

/**
 * The server pings a silent client every 2 s and drops it after 2 pings without an answer, so that requests to a host behind a dead
 * link get "no responders" within 8 s. It does not ping a client while it sends it messages: a frequent sender has to notice by the
 * host's missing heartbeats.
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
