/**
 * The layer table: which package may import which. The linter enforces it, and the tidy test compares it with the one in ARCHITECTURE.md and with every
 * package.json.
 */
export interface Layer {
  readonly folder: string;
  /** Workspace packages whose every entry it may import. */
  readonly imports: readonly string[];
  /** Single entries of further packages: `package/entry`. */
  readonly entries?: readonly { readonly entry: string; readonly typesOnly: boolean }[];
  /** The reason, which ends the linter's message. */
  readonly reason: string;
  /** Its folders below `src`, from the lowest to the highest: each may import those before it, types included. */
  readonly folders?: readonly string[];
}

export const layers: Readonly<Record<string, Layer>> = {
  base: {
    folder: "packages/base",
    imports: [],
    reason: "base is what everything else stands on",
  },
  model: {
    folder: "packages/model",
    imports: ["base"],
    reason: "model holds the words and no behaviour",
  },
  protocol: {
    folder: "packages/protocol",
    imports: ["base", "model"],
    reason: "protocol is what both ends agree on, whatever carries it",
  },
  planner: {
    folder: "packages/planner",
    imports: ["base", "model"],
    reason: "planner is pure: no I/O and no clock",
  },
  oci: {
    folder: "packages/oci",
    imports: ["base", "model"],
    reason: "oci runs processes and knows nothing of records, images or journals",
    folders: ["process", "cgroup", "spec", "rootfs", "host", "bundle", "runtime", "monitor"],
  },
  storage: {
    folder: "packages/storage",
    imports: ["base", "model"],
    entries: [
      { entry: "oci/process/*", typesOnly: false },
      { entry: "oci/rootfs/*", typesOnly: false },
    ],
    reason: "storage keeps files and does not run containers",
    folders: ["file", "archive", "upload", "layer", "image", "rootfs", "transfer"],
  },
  journal: {
    folder: "packages/journal",
    imports: ["base", "model"],
    entries: [{ entry: "oci/process/*", typesOnly: false }],
    reason: "journal knows bytes and offsets, not containers",
    folders: ["record", "input", "retention"],
  },
  engine: {
    folder: "packages/engine",
    imports: ["base", "model", "oci", "storage", "journal"],
    reason: "the engine works without NATS and without Postgres",
    folders: [
      ...["state", "lock", "host", "container", "exec", "output"],
      ...["session", "usage", "image", "artifact", "rootfs", "health", "checkpoint"],
      ...["operation", "housekeeping", "assembly"],
    ],
  },
  db: {
    folder: "packages/db",
    imports: ["base", "model"],
    reason: "db knows tables and queries, not who asks",
  },
  telemetry: {
    folder: "packages/telemetry",
    imports: ["base", "model"],
    reason: "telemetry is set up before anything else is imported",
  },
  bus: {
    folder: "packages/bus",
    imports: ["base", "model", "protocol"],
    reason: "bus carries messages and does not act on them",
  },
  api: {
    folder: "packages/api",
    imports: ["base", "model", "protocol"],
    reason: "the contract knows what is asked and answered, and not who does it",
  },
  client: {
    folder: "packages/client",
    imports: ["base", "model", "protocol"],
    entries: [{ entry: "api/router", typesOnly: true }],
    reason: "scripts that import the client must not load a server",
  },
  "docker-api": {
    folder: "packages/docker-api",
    imports: ["base", "model", "protocol", "api"],
    reason: "the Docker API calls the contract as whoever calls it, and may do what that one may",
  },
  "control-plane": {
    folder: "apps/control-plane",
    imports: [
      "base",
      "model",
      "protocol",
      "api",
      "planner",
      "db",
      "bus",
      "telemetry",
      "docker-api",
    ],
    reason: "the control plane never touches a host's engine but by message",
  },
  agent: {
    folder: "apps/agent",
    imports: ["base", "model", "protocol", "engine", "bus", "telemetry"],
    entries: [
      { entry: "journal/record/compact", typesOnly: false },
      { entry: "journal/retention/retention", typesOnly: false },
    ],
    reason: "an agent knows its host only: no Postgres, no placement",
  },
  cli: {
    folder: "apps/cli",
    imports: ["base", "model", "client"],
    entries: [{ entry: "telemetry/caller-telemetry", typesOnly: false }],
    reason: "the CLI starts fast and speaks to the API only",
  },
  testkit: {
    folder: "packages/testkit",
    imports: ["base", "model", "telemetry"],
    reason: "every package's tests stand on testkit, so it stands on none that they test",
  },
  simulator: {
    folder: "packages/simulator",
    imports: ["base", "model", "protocol", "bus"],
    reason: "a simulated host is one at the level of messages",
  },
  infra: {
    folder: "infra",
    imports: ["base", "model", "bus", "db", "client"],
    reason: "set-up starts the programs and then is a caller like any other",
  },
};

export interface OneImporter {
  /** Import specifiers, in .gitignore syntax. */
  readonly libraries: readonly string[];
  /** Folders that may import them. */
  readonly folders: readonly string[];
  /** Whether tests elsewhere may not import them either. */
  readonly testsToo: boolean;
  readonly reason: string;
}

/** Libraries whose misuse is costly have one place where they are used. */
export const oneImporter: readonly OneImporter[] = [
  {
    libraries: ["execa", "child_process", "node:child_process"],
    folders: ["packages/oci/src/process", "infra", "packages/testkit", "test"],
    testsToo: false,
    reason: "every process has its deadline, its buffer limit and its span set in oci/process",
  },
  {
    libraries: ["koffi"],
    folders: ["packages/oci/src/process"],
    testsToo: true,
    reason: "a wrong declaration of a C function corrupts the agent's memory",
  },
  {
    libraries: ["@nats-io/*"],
    folders: ["packages/bus"],
    testsToo: true,
    reason: "bus types each message and carries the trace context",
  },
  {
    libraries: ["pg", "drizzle-orm/node-postgres", "drizzle-orm/pg-core"],
    folders: ["packages/db", "packages/testkit"],
    testsToo: true,
    reason: "Postgres is reached through db's queries",
  },
  {
    libraries: [
      "better-sqlite3",
      "drizzle-orm/better-sqlite3",
      "drizzle-orm/better-sqlite3/*",
      "drizzle-orm/sqlite-core",
    ],
    folders: ["packages/engine/src/state"],
    testsToo: true,
    reason: "the agent's store is reached through engine/state",
  },
  {
    libraries: ["drizzle-orm"],
    folders: ["packages/db", "packages/engine/src/state"],
    testsToo: true,
    reason: "queries are written beside their tables",
  },
  {
    libraries: ["@opentelemetry/*", "!@opentelemetry/api", "!@opentelemetry/semantic-conventions"],
    folders: ["packages/telemetry"],
    testsToo: true,
    reason: "code makes spans through @opentelemetry/api; the SDK is set up in one place",
  },
];

/** Every workspace package by name, without its scope. */
export const workspacePackages: readonly string[] = Object.keys(layers).filter(
  (name) => name !== "infra",
);
