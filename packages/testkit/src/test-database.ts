/** A real Postgres server for the tests of a file, and a database of its own for each test. */
import { randomBytes } from "node:crypto";

import pg from "pg";

import {
  killPostgresServer,
  startPostgresServer,
  stopPostgresServer,
} from "../../../infra/postgres-server.ts";
import { createTempRoot } from "./temp-root.ts";

export interface TestPostgres extends AsyncDisposable {
  /** Creates a database: a copy of the template that `prepare` filled, or an empty one. */
  readonly createDatabase: () => Promise<TestDatabase>;
  /** Ends the server with SIGKILL, as a crash would. */
  readonly kill: () => Promise<void>;
  readonly restart: () => Promise<void>;
}

export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
}

export interface TestPostgresOptions {
  /** Fills the template, once: `(url) => migrate(url)`. It must close its connections. */
  readonly prepare?: (url: string) => Promise<void>;
  /** Turns on fsync, for tests that kill the server. */
  readonly durable?: boolean;
}

/** Starts the server in `beforeAll`; disposed of in `afterAll`. The server ends with the test process in any case. */
export async function startTestPostgres(options: TestPostgresOptions = {}): Promise<TestPostgres> {
  const root = await createTempRoot("postgres");
  const launch = {
    directory: root.path,
    mode: "attached",
    durable: options.durable ?? false,
  } as const;
  let server = await startPostgresServer(launch);
  const execute = async (statement: string): Promise<void> =>
    await executeOn(server.databaseUrl("postgres"), statement);
  if (options.prepare) {
    await execute("create database template_prepared");
    await options.prepare(server.databaseUrl("template_prepared"));
  }
  const template = options.prepare ? "template_prepared" : "template1";
  return {
    createDatabase: async () => {
      const name = `test_${randomBytes(6).toString("hex")}`;
      await execute(`create database ${name} template ${template}`);
      return {
        url: server.databaseUrl(name),
        [Symbol.asyncDispose]: async () => await execute(`drop database ${name} with (force)`),
      };
    },
    kill: async () => await killPostgresServer(server.pid),
    restart: async () => {
      server = await startPostgresServer(launch);
    },
    [Symbol.asyncDispose]: async () => {
      await stopPostgresServer(server.pid);
      await root[Symbol.asyncDispose]();
    },
  };
}

async function executeOn(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
