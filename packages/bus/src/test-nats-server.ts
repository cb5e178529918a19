/** A real nats-server in operator mode on a port of its own. */
import { join } from "node:path";

import { mintAgentCredentials, mintControlPlaneCredentials } from "@podfleet/bus/credentials";
import { createIdentity, type NatsIdentity } from "@podfleet/bus/identity";
import { renderNatsServerConfig } from "@podfleet/bus/server-config";
import type { HostId } from "@podfleet/model/ids";

import * as launcher from "../../../infra/nats-server.ts";
import { freePort } from "./free-port.ts";
import { createTempRoot } from "./temp-root.ts";

export interface TestNatsServer extends AsyncDisposable {
  readonly url: string;
  readonly identity: NatsIdentity;
  readonly agentCredentials: (hostId: HostId) => Promise<string>;
  readonly controlPlaneCredentials: () => Promise<string>;
  /** Ends the server with SIGKILL. */
  readonly kill: () => Promise<void>;
  /** Starts it again at the same address, with the JWTs that it had. */
  readonly restart: () => Promise<void>;
}

export interface TestNatsServerOptions {
  /** 127.0.0.1 when absent; a bridge's address makes it reachable from network namespaces. */
  readonly host?: string;
}

export async function startNatsServer(
  options: TestNatsServerOptions = {},
): Promise<TestNatsServer> {
  const host = options.host ?? "127.0.0.1";
  const root = await createTempRoot("nats");
  const identity = await createIdentity();
  const port = await freePort(host);
  const jwtDirectory = join(root.path, "jwt");
  const config = renderNatsServerConfig({ identity, host, port, jwtDirectory });
  const start = async (): Promise<launcher.NatsServer> =>
    await launcher.startNatsServer({ directory: root.path, host, port, config, mode: "attached" });
  let server = await start();
  return {
    url: server.url,
    identity,
    agentCredentials: async (hostId) => await mintAgentCredentials(identity, hostId),
    controlPlaneCredentials: async () => await mintControlPlaneCredentials(identity),
    kill: async () => await launcher.killNatsServer(server.pid),
    restart: async () => {
      server = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await launcher.stopNatsServer(server.pid);
      await root[Symbol.asyncDispose]();
    },
  };
}
