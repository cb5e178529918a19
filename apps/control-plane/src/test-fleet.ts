/** For tests: Postgres and NATS, replicas of the control plane on them, simulated agents, and calls over HTTP. */
import type { AppRouter } from "@podfleet/api/router";
import { connectBus } from "@podfleet/bus/connection";
import { startNatsServer, type TestNatsServer } from "@podfleet/bus/test-nats-server";
import { type Database, openDatabase } from "@podfleet/db/database";
import { migrateDatabase } from "@podfleet/db/migrate";
import { PodfleetError, type WireError } from "@podfleet/model/errors";
import { apiTransformer } from "@podfleet/protocol/api-value";
import { controlPlaneInboxPrefix } from "@podfleet/protocol/subject";
import { SimulatedAgent, type SimulatedAgentOptions } from "@podfleet/simulator/simulated-agent";
import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import type { inferRouterInputs, inferRouterOutputs } from "@trpc/server";
import { pino } from "pino";

import { startControlPlane } from "./control-plane.ts";
import { createApiToken } from "./services/api-tokens.ts";

type Inputs = inferRouterInputs<AppRouter>;
type Outputs = inferRouterOutputs<AppRouter>;

/** Postgres and nats-server, for all tests of a file. */
export interface TestServers extends AsyncDisposable {
  readonly postgres: TestPostgres;
  readonly nats: TestNatsServer;
}

export async function startTestServers(): Promise<TestServers> {
  const postgres = await startTestPostgres({ prepare: migrateDatabase });
  const nats = await startNatsServer();
  return {
    postgres,
    nats,
    [Symbol.asyncDispose]: async () => {
      await nats[Symbol.asyncDispose]();
      await postgres[Symbol.asyncDispose]();
    },
  };
}

/** A fleet on a database of its own. Disposal ends everything that it started. */
export class TestFleet implements AsyncDisposable {
  readonly database: Database;
  readonly databaseUrl: string;
  readonly token: string;
  readonly #servers: TestServers;
  readonly #stack: AsyncDisposableStack;

  private constructor(parts: {
    database: Database;
    databaseUrl: string;
    token: string;
    servers: TestServers;
    stack: AsyncDisposableStack;
  }) {
    this.database = parts.database;
    this.databaseUrl = parts.databaseUrl;
    this.token = parts.token;
    this.#servers = parts.servers;
    this.#stack = parts.stack;
  }

  static async create(servers: TestServers): Promise<TestFleet> {
    const stack = new AsyncDisposableStack();
    const { url: databaseUrl } = stack.use(await servers.postgres.createDatabase());
    const { database, close } = openDatabase({
      url: databaseUrl,
      applicationName: "test",
      onIdleError: (error) => process.stderr.write(`${error.message}\n`),
    });
    stack.defer(close);
    const token = await createApiToken(database, "tester");
    return new TestFleet({ database, databaseUrl, token, servers, stack });
  }

  /** Starts a fleet with a replica and a host. */
  static async start(servers: TestServers) {
    const fleet = await TestFleet.create(servers);
    const replica = await fleet.startReplica();
    const agent = await fleet.startAgent({ name: "host-1" });
    return { fleet, replica, agent };
  }

  /** Starts a further replica of the control plane. */
  async startReplica(dockerSocket?: string): Promise<Replica> {
    const { nats } = this.#servers;
    const bus = await connectBus({
      servers: nats.url,
      credentials: await nats.controlPlaneCredentials(),
      inboxPrefix: controlPlaneInboxPrefix,
      name: "control-plane",
    });
    const listen = { host: "127.0.0.1", port: 0 };
    const controlPlane = await startControlPlane({
      config: { listen, databaseUrl: this.databaseUrl, otlpEndpoint: undefined, dockerSocket },
      bus,
      logger: pino({ level: "silent" }),
    });
    const replica = new Replica(controlPlane.url, this.token, async () => {
      await controlPlane.drain();
      await bus.close();
      await controlPlane.close();
    });
    return this.#stack.use(replica);
  }

  async startAgent(host: SimulatedAgentOptions["host"]): Promise<SimulatedAgent> {
    const { nats } = this.#servers;
    return this.#stack.use(await SimulatedAgent.start({ nats, host }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** A running replica as its callers see it. */
export class Replica implements AsyncDisposable {
  readonly url: string;
  readonly #token: string;
  readonly #end: () => Promise<void>;
  #ended: Promise<void> | undefined;

  constructor(url: string, token: string, end: () => Promise<void>) {
    this.url = url;
    this.#token = token;
    this.#end = end;
  }

  /** @throws PodfleetError as the API answered it */
  async query<R extends keyof Inputs, P extends keyof Inputs[R] & keyof Outputs[R]>(
    router: R,
    procedure: P,
    input: Inputs[R][P],
  ): Promise<Outputs[R][P]> {
    const text = encodeURIComponent(JSON.stringify(apiTransformer.serialize(input)));
    const path = `/trpc/${router}.${String(procedure)}?input=${text}`;
    return (await resultOf(await this.fetch(path))) as Outputs[R][P];
  }

  /** @throws PodfleetError as the API answered it */
  async mutate<R extends keyof Inputs, P extends keyof Inputs[R] & keyof Outputs[R]>(
    router: R,
    procedure: P,
    input: Inputs[R][P],
  ): Promise<Outputs[R][P]> {
    const response = await this.fetch(`/trpc/${router}.${String(procedure)}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(apiTransformer.serialize(input)),
    });
    return (await resultOf(response)) as Outputs[R][P];
  }

  /** Sends a request with the token, unless `init` has its own `authorization`. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${this.#token}`);
    return await fetch(`${this.url}${path}`, { ...init, headers });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended ??= this.#end();
    await this.#ended;
  }
}

async function resultOf(response: Response): Promise<unknown> {
  const body = (await response.json()) as
    | { readonly result: { readonly data: unknown } }
    | { readonly error: unknown };
  if ("result" in body) return apiTransformer.deserialize(body.result.data);
  const { data } = apiTransformer.deserialize(body.error) as { data: { podfleet: WireError } };
  throw PodfleetError.fromWire(data.podfleet);
}
