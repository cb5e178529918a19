import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "@podfleet/base/clock";
import { hasCode } from "@podfleet/model/errors";
import {
  containerIdSchema,
  execIdSchema,
  operationIdSchema,
  sessionIdSchema,
} from "@podfleet/model/ids";
import BetterSqlite from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";

import { migrateStore } from "./migrate.ts";
import { StateStore } from "./state-store.ts";
import { tablesOf } from "./test-tables.ts";

const userVersions = [1, 2, 3, 4, 5, 6];

/** What the fixtures hold. */
const web = containerIdSchema.parse("a".repeat(64));
const removed = containerIdSchema.parse("b".repeat(64));
const exec = execIdSchema.parse("c".repeat(64));
const session = sessionIdSchema.parse("019a0000-0000-7000-8000-000000000009");
const created = operationIdSchema.parse("019a0000-0000-7000-8000-000000000001");
const refused = operationIdSchema.parse("019a0000-0000-7000-8000-000000000002");
const refreshing = operationIdSchema.parse("019a0000-0000-7000-8000-000000000003");

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "podfleet-migrate-"));
  path = join(directory, "engine.sqlite");
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

test.each(userVersions)("a store of user_version %i opens with all its rows", (version) => {
  makeStore(version);
  expect(contentsOf(path)).toMatchObject(expectedContents(version));
  // Once more: nothing is left to do.
  expect(contentsOf(path)).toMatchObject(expectedContents(version));
});

test.each(userVersions)("a store of user_version %i becomes as a new one is", (version) => {
  makeStore(version);
  StateStore.open(path, systemClock).close();
  const fresh = new BetterSqlite(":memory:");
  migrateStore(fresh, directory);
  const sqlite = new BetterSqlite(path);
  expect(tablesOf(sqlite)).toEqual(tablesOf(fresh));
  expect(appliedIn(sqlite)).toEqual(appliedIn(fresh));
  expect(sqlite.pragma("user_version", { simple: true })).toBe(0);
  sqlite.close();
});

test.each(userVersions)(
  "a process killed at any statement leaves a store of user_version %i that opens",
  (version) => {
    makeStore(version);
    for (const copy of migrateWithCopies()) {
      expect(contentsOf(copy)).toMatchObject(expectedContents(version));
    }
  },
);

test("a process killed at any statement leaves a new store that opens", () => {
  for (const copy of migrateWithCopies()) {
    const store = StateStore.open(copy, systemClock);
    expect(store.list()).toEqual([]);
    store.close();
  }
});

test("a store of a newer version is refused and left as it is", () => {
  StateStore.open(path, systemClock).close();
  const sqlite = new BetterSqlite(path);
  const known = appliedIn(sqlite).length;
  sqlite
    .prepare("INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)")
    .run("of a newer build", 9e12);
  sqlite.exec("CREATE TABLE of_a_newer_build (id TEXT) STRICT");
  const before = sqlite.serialize();
  sqlite.close();
  expect(refusalOf(path)).toMatchObject({
    code: "SCHEMA_TOO_NEW",
    message: `Cannot open data root "${directory}": its store has version ${known + 1}, must be at most ${known}, the newest that this build knows`,
    details: { version: known + 1, knownVersion: known },
  });
  const after = new BetterSqlite(path);
  expect(after.serialize().equals(before)).toBe(true);
  after.close();
});

test("a user_version that no build has written is refused", () => {
  makeStore(6);
  const sqlite = new BetterSqlite(path);
  sqlite.pragma("user_version = 7");
  sqlite.close();
  expect(refusalOf(path)).toMatchObject({ code: "SCHEMA_TOO_NEW" });
});

function makeStore(userVersion: number): void {
  const sqlite = new BetterSqlite(path);
  const dump = join(import.meta.dirname, `fixtures/user-version-${userVersion}.sql`);
  sqlite.exec(readFileSync(dump, "utf8"));
  sqlite.close();
}

/**
 * Migrates the store and copies its files before each statement, as they would be found after a kill. They are the same before many of
 * them: a transaction is written when it commits.
 * @returns paths of the copies that differ
 */
function migrateWithCopies(): string[] {
  const copies = new Map<string, string>();
  const sqlite = new BetterSqlite(path, {
    verbose: () => {
      const files = ["", "-wal"].filter((suffix) => existsSync(path + suffix));
      const contents = files.map((suffix) => readFileSync(path + suffix));
      const hash = createHash("sha256").update(Buffer.concat(contents)).digest("hex");
      if (copies.has(hash)) return;
      const copy = join(directory, `killed-${copies.size}.sqlite`);
      for (const suffix of files) copyFileSync(path + suffix, copy + suffix);
      copies.set(hash, copy);
    },
  });
  sqlite.pragma("journal_mode = WAL");
  migrateStore(sqlite, directory);
  sqlite.close();
  // Untouched, in WAL mode, and with the table of migrations.
  expect(copies.size).toBeGreaterThanOrEqual(3);
  return [...copies.values()];
}

function appliedIn(sqlite: BetterSqlite.Database): unknown[] {
  return sqlite
    .prepare("SELECT hash, created_at FROM __drizzle_migrations ORDER BY created_at")
    .all();
}

function refusalOf(store: string): unknown {
  try {
    StateStore.open(store, systemClock).close();
    return undefined;
  } catch (error) {
    if (!hasCode(error, "SCHEMA_TOO_NEW")) throw error;
    return error;
  }
}

/** What `expectedContents` names, read from the store at `at`. */
function contentsOf(at: string): unknown {
  const store = StateStore.open(at, systemClock);
  try {
    const { spec, snapshot, processes, healthLog } = store.get(web);
    return {
      names: store.list().map((record) => record.snapshot.name),
      web: { command: spec.command, snapshot, processes, healthLog: healthLog ?? undefined },
      removed: store.findRemoved(removed),
      exit: store.findExit(removed, 1),
      created: store.operations.find(created),
      refused: store.operations.find(refused),
      unfinished: store.operations.unfinished(),
      restores: store.operations.progress(refreshing).restores,
      seqs: store.outbox.after(0, 10).map(({ seq }) => seq),
      lastSeq: store.outbox.lastSeq(),
      bootId: store.findBootId(),
      execs: store.execTable.load().map((record) => record.session.id),
      sessions: store.sessionTable.load().map((record) => record.session.id),
      keptFrom: [...store.journalTable.load()],
    };
  } finally {
    store.close();
  }
}

/** Columns and tables that came with a later version are empty. */
function expectedContents(version: number): object {
  return {
    names: ["web-1", "idle-1"],
    web: {
      command: ["sh", "-c", "echo it's; exit 3"],
      snapshot: { id: web, state: "running", revision: 3, run: 1, pid: 70 },
      processes: { startTicks: 7, monitorStartTicks: 6 },
      healthLog: version >= 4 ? { results: [], failingStreak: 0 } : undefined,
    },
    removed: { name: "old-1", exitCode: 3 },
    exit: { exitCode: 3, outputEnd: version >= 5 ? 10 : null },
    created: {
      status: "finished",
      actionHash: "hash-1",
      outcome: { status: "succeeded", container: { id: web } },
    },
    refused: { status: "refused" },
    unfinished: [{ id: refreshing, action: { verb: "container.refresh", containerId: web } }],
    restores: version >= 3 ? { state: "running", run: 1 } : undefined,
    seqs: [9, 10],
    lastSeq: 10,
    bootId: "boot-1",
    execs: version >= 2 ? [exec] : [],
    sessions: version >= 5 ? [session] : [],
    keptFrom: version >= 6 ? [[web, 4096]] : [],
  };
}
