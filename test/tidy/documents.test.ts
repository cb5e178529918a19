import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

import { expect, test } from "vitest";

import { renderErrorTable } from "../../scripts/error-table.ts";
import { renderMethodTable } from "../../scripts/method-table.ts";
import { listFiles, readText, root } from "./repository.ts";

const documents = listFiles().filter((path) => path.endsWith(".md"));

/** The places for documents. A document elsewhere is a plan or a diary: its facts belong into one of these. */
const places = [
  /^(README|ARCHITECTURE|CONTRIBUTING|CHANGELOG)\.md$/,
  /^docs\/(SPECIFICATION|container-methods|errors|glossary)\.md$/,
  /^docs\/adr\/\d{4}-[a-z0-9-]+\.md$/,
  /^docs\/(internals|operations)\/[a-z0-9-]+\.md$/,
];

test("documents are where they belong", () => {
  expect(documents.filter((path) => !places.some((place) => place.test(path)))).toEqual([]);
});

test("each document has one title, which is its first line", () => {
  const headings = (path: string): string[] =>
    proseLines(path).filter((line) => line.startsWith("# "));
  const wrong = documents.filter(
    (path) => headings(path).length !== 1 || !readText(path).startsWith("# "),
  );
  expect(wrong).toEqual([]);
});

test("links lead to files that exist", () => {
  const broken = documents.flatMap((path) =>
    proseLines(path).flatMap((line) =>
      [...line.matchAll(/\]\((?![a-z]+:)([^)#]*)(?:#[^)]*)?\)/g)]
        .map(([, target = ""]) => target)
        .filter((target) => target !== "" && !existsSync(join(root, dirname(path), target)))
        .map((target) => `${path}: ${target}`),
    ),
  );
  expect(broken).toEqual([]);
});

test("decisions have numbers of their own", () => {
  const numbers = documents.flatMap((path) => /^docs\/adr\/(\d{4})-/.exec(path)?.[1] ?? []);
  expect(numbers).toEqual([...new Set(numbers)]);
});

test("docs/errors.md lists the error registry", () => {
  expect(readText("docs/errors.md"), "run `pnpm run docs`").toBe(renderErrorTable());
});

test("docs/container-methods.md lists the capability table", () => {
  expect(readText("docs/container-methods.md"), "run `pnpm run docs`").toBe(renderMethodTable());
});

/** The lines outside of code blocks. */
function proseLines(path: string): string[] {
  let isCode = false;
  return readText(path)
    .split("\n")
    .filter((line) => {
      if (/^\s*```/.test(line)) isCode = !isCode;
      return !isCode;
    });
}
