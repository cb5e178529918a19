import type BetterSqlite from "better-sqlite3";

/** Each entry takes the store from the version before it to its own; SQLite's `user_version` counts those applied. */
const migrations: readonly string[] = [
  `
  CREATE TABLE containers (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE,
    spec TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    processes TEXT NOT NULL
  ) STRICT;
  CREATE TABLE removed_containers (
    id TEXT PRIMARY KEY NOT NULL,
    snapshot TEXT NOT NULL,
    removed_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX removed_containers_by_time ON removed_containers (removed_at_ms);
  CREATE TABLE exits (
    container_id TEXT NOT NULL,
    run INTEGER NOT NULL,
    exit_code INTEGER,
    PRIMARY KEY (container_id, run)
  ) STRICT;
  CREATE TABLE operations (
    id TEXT PRIMARY KEY NOT NULL,
    status TEXT NOT NULL,
    action TEXT,
    action_hash TEXT,
    outcome TEXT,
    started_at_ms INTEGER NOT NULL,
    finished_at_ms INTEGER
  ) STRICT;
  CREATE INDEX operations_by_end ON operations (finished_at_ms);
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    event TEXT NOT NULL
  ) STRICT;
  CREATE TABLE meta (
    key TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE exec_sessions (
    id TEXT PRIMARY KEY NOT NULL,
    session TEXT NOT NULL,
    processes TEXT NOT NULL
  ) STRICT;
  `,
  `
  ALTER TABLE operations ADD COLUMN progress TEXT;
  `,
  `
  ALTER TABLE containers ADD COLUMN health_log TEXT;
  `,
  `
  CREATE TABLE sessions (
    id TEXT PRIMARY KEY NOT NULL,
    session TEXT NOT NULL,
    command_end TEXT
  ) STRICT;
  ALTER TABLE exits ADD COLUMN output_end INTEGER;
  `,
  `
  CREATE TABLE journals (
    id TEXT PRIMARY KEY NOT NULL,
    kept_from INTEGER NOT NULL
  ) STRICT;
  `,
];

/** Brings the store to the newest version. */
export function migrate(sqlite: BetterSqlite.Database): void {
  const version = Number(sqlite.pragma("user_version", { simple: true }));
  for (const [position, statements] of migrations.entries()) {
    if (position < version) continue;
    sqlite.transaction(() => {
      sqlite.exec(statements);
      sqlite.pragma(`user_version = ${position + 1}`);
    })();
  }
}
