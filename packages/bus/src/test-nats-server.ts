/** For tests: a real nats-server in operator mode. */
import { join } from "node:path";

import type { HostId } from "@podfleet/model/ids";
import { type NatsProcess, startNatsProcess } from "@podfleet/testkit/nats-process";

import { mintAgentCredentials, mintControlPlaneCredentials } from "./credentials.ts";
import { createIdentity, type NatsIdentity } from "./identity.ts";
import { renderNatsServerConfig } from "./server-config.ts";

export interface TestNatsServer extends NatsProcess {
  readonly identity: NatsIdentity;
  readonly agentCredentials: (hostId: HostId) => Promise<string>;
  readonly controlPlaneCredentials: () => Promise<string>;
}

export interface TestNatsServerOptions {
  /** 127.0.0.1 when absent; a bridge's address makes it reachable from network namespaces. */
  readonly host?: string;
}

export async function startNatsServer(
  options: TestNatsServerOptions = {},
): Promise<TestNatsServer> {
  const identity = await createIdentity();
  const server = await startNatsProcess(options.host ?? "127.0.0.1", ({ folder, ...address }) =>
    renderNatsServerConfig({ identity, ...address, jwtDirectory: join(folder, "jwt") }),
  );
  return {
    ...server,
    identity,
    agentCredentials: async (hostId) => await mintAgentCredentials(identity, hostId),
    controlPlaneCredentials: async () => await mintControlPlaneCredentials(identity),
  };
}
