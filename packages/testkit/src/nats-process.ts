/** A real nats-server on a port of its own. */
import * as launcher from "../../../infra/nats-server.ts";
import { freePort } from "./free-port.ts";
import { createTempRoot } from "./temp-root.ts";

export interface NatsProcess extends AsyncDisposable {
  readonly url: string;
  /** Ends the server with SIGKILL. */
  readonly kill: () => Promise<void>;
  /** Starts the server again at the same address, with its files. */
  readonly restart: () => Promise<void>;
}

export interface NatsPlace {
  readonly host: string;
  readonly port: number;
  /** The server's folder; removed when the server is disposed of. */
  readonly folder: string;
}

/** @param configure the server's configuration, as text */
export async function startNatsProcess(
  host: string,
  configure: (place: NatsPlace) => string,
): Promise<NatsProcess> {
  const root = await createTempRoot("nats");
  const port = await freePort(host);
  const config = configure({ host, port, folder: root.path });
  const start = async (): Promise<launcher.NatsServer> =>
    await launcher.startNatsServer({ directory: root.path, host, port, config, mode: "attached" });
  let server = await start();
  return {
    url: server.url,
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
