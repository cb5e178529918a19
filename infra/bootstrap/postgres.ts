import { findPostgresServer, startPostgresServer, stopPostgresServer } from "../postgres-server.ts";
import { postgresFolder } from "./paths.ts";
import type { Settings } from "./settings.ts";

export interface Postgres {
  readonly databaseUrl: string;
  readonly line: string;
}

/** Uses the server of DATABASE_URL, or starts a server on a Unix socket. */
export async function ensurePostgres(settings: Settings): Promise<Postgres> {
  const { databaseUrl } = settings;
  if (databaseUrl !== undefined) {
    return { databaseUrl, line: `${new URL(databaseUrl).host} (DATABASE_URL)` };
  }
  const running = await findPostgresServer(postgresFolder);
  const server =
    running ??
    (await startPostgresServer({ directory: postgresFolder, mode: "detached", durable: true }));
  return {
    databaseUrl: server.databaseUrl("postgres"),
    line: `${running ? "running" : "started"} on ${postgresFolder}`,
  };
}

/** Stops the server that `ensurePostgres` started. @returns whether it was running */
export async function stopPostgres(): Promise<boolean> {
  const running = await findPostgresServer(postgresFolder);
  if (running) await stopPostgresServer(running.pid);
  return running !== undefined;
}
