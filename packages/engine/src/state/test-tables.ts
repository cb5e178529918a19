import type BetterSqlite from "better-sqlite3";

interface IndexRow {
  readonly name: string;
  readonly unique: number;
  readonly origin: string;
  readonly partial: number;
}

/** The tables of a database with their columns and indexes, however the statements that made them are spelled. */
export function tablesOf(sqlite: BetterSqlite.Database): Record<string, unknown> {
  const names = sqlite
    .prepare<[], string>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_\\_%' ESCAPE '\\' ORDER BY name",
    )
    .pluck()
    .all();
  return Object.fromEntries(names.map((name) => [name, tableOf(sqlite, name)]));
}

function tableOf(sqlite: BetterSqlite.Database, table: string): Record<string, unknown> {
  const columns = sqlite.pragma(`table_xinfo(${table})`) as { name: string; type: string }[];
  const indexes = sqlite.pragma(`index_list(${table})`) as IndexRow[];
  return {
    columns: columns
      .map((column) => ({ ...column, cid: undefined, type: column.type.toUpperCase() }))
      .toSorted((a, b) => a.name.localeCompare(b.name)),
    indexes: indexes
      .map(({ name, unique, origin, partial }) => ({
        name,
        unique,
        origin,
        partial,
        columns: sqlite.pragma(`index_info(${name})`),
      }))
      .toSorted((a, b) => a.name.localeCompare(b.name)),
  };
}
