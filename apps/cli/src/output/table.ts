/** Lists and reports: aligned columns, or JSON. */
import { PodfleetError } from "@podfleet/model/errors";

import { oneLine, printJson } from "./output.ts";
import type { Output } from "./output.ts";

export interface Column<Row> {
  readonly heading: string;
  readonly value: (row: Row) => string;
}

/** All columns of a list, by their names in `--format`. */
export type Columns<Row> = Readonly<Record<string, Column<Row>>>;

export interface ListFormat<Row> {
  readonly columns: Columns<Row>;
  /** Names of the columns shown without `--format`. */
  readonly shown: readonly string[];
  /** Makes the element that `--format json` prints for a row. */
  readonly json: (row: Row) => unknown;
}

export interface ListOptions {
  /** `json`, or names of columns separated by commas. */
  readonly format?: string;
  readonly noheading?: boolean;
}

/** @throws PodfleetError INVALID_INPUT that lists the columns when `format` names another */
export async function printList<Row>(
  output: Output,
  rows: readonly Row[],
  list: ListFormat<Row> & { readonly options: ListOptions },
): Promise<void> {
  const { format, noheading = false } = list.options;
  if (format === "json") return await printJson(output, rows.map(list.json));
  const columns = chosenColumns(list, format);
  const cells = rows.map((row) => columns.map((column) => oneLine(column.value(row))));
  const lines = noheading ? cells : [columns.map((column) => column.heading), ...cells];
  if (lines.length > 0) await output.print(alignColumns(lines).join("\n"));
}

/** Prints a report that is not a list: rows of text, or JSON. */
export async function printReport(
  output: Output,
  format: "text" | "json",
  { json, rows }: { readonly json: unknown; readonly rows: readonly (readonly string[])[] },
): Promise<void> {
  if (format === "json") await printJson(output, json);
  else await output.print(alignColumns(rows).join("\n"));
}

/** Pads every column but the last to its widest cell, two spaces apart. */
export function alignColumns(lines: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const line of lines) {
    for (const [index, cell] of line.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    }
  }
  return lines.map((line) =>
    line
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function chosenColumns<Row>(list: ListFormat<Row>, format: string | undefined): Column<Row>[] {
  const names = format === undefined ? list.shown : format.split(",").map((name) => name.trim());
  return names.map((name) => {
    const column = Object.hasOwn(list.columns, name) ? list.columns[name] : undefined;
    if (column) return column;
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot use --format ${JSON.stringify(format)}: must be "json" or a list of ${Object.keys(list.columns).join(", ")}`,
    );
  });
}

/** A cell with labels: `tier=web,zone=a`. */
export function joinLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}
