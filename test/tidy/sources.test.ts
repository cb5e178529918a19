import { basename } from "node:path";

import { expect, test } from "vitest";

import { findLines, listFiles, readText } from "./repository.ts";

const files = listFiles();
const sources = files.filter((path) => /\.(ts|mjs)$/.test(path));
const tests = sources.filter((path) => /\.(test|suite)\.ts$/.test(path));
/** This folder names what it bans. */
const outsideTidy = sources.filter((path) => !path.startsWith("test/tidy/"));

test("files are named for what they hold", () => {
  const junk = /^(utils?|helpers?|common|shared|misc|types|constants|index|mod)\.(ts|mjs)$/;
  expect(sources.filter((path) => junk.test(basename(path)))).toEqual([]);
  const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*$/;
  expect(sources.filter((path) => !kebab.test(basename(path)))).toEqual([]);
});

test("packages are two levels deep at most", () => {
  const source = /^(?:apps|packages)\/[^/]+\/src\/(.*)$/;
  const deep = sources.filter((path) => (source.exec(path)?.[1]?.split("/").length ?? 0) > 3);
  expect(deep).toEqual([]);
});

test("a file has at most 600 lines", () => {
  const long = sources.filter((path) => !tests.includes(path) && lineCount(path) > 600);
  expect(long).toEqual([]);
});

test("a TODO names an issue", () => {
  expect(findLines(outsideTidy, /\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))/)).toEqual([]);
});

test("no test is left out or run alone", () => {
  expect(findLines(tests, /\b(?:test|it|describe|suite)\.(skip|only|todo|fails)\b/)).toEqual([]);
  // A need that a machine may lack is a condition with a reason, and `npm test` shows the count.
  expect(findLines(tests, /\bskipIf\((true|1)\)/)).toEqual([]);
});

test("the compiler and the linter are not silenced", () => {
  expect(findLines(outsideTidy, /@ts-(ignore|nocheck|expect-error)/)).toEqual([]);
  const silenced = findLines(outsideTidy, /(oxlint|eslint)-disable(?!-next-line [\w/-]+ -- \S)/);
  expect(silenced, "a disabled rule is for the next line, by name and with a reason").toEqual([]);
});

test("comments say why, not what was changed", () => {
  const narration =
    /(\/\/|\*)\s.*\b(as requested|legacy|phase \d|step \d+[:.]|improved version|previously|used to be|no longer needed|refactored)\b/i;
  expect(findLines(outsideTidy, narration)).toEqual([]);
  expect(findLines(outsideTidy, /^\s*\/\/\s*[-=*#]{4,}/)).toEqual([]);
  expect(findLines(sources, /\p{Emoji_Presentation}/u)).toEqual([]);
});

test("a file's header comes before its imports", () => {
  const header = /^import [^;]*;\n+\/\*\*(?:[^*]|\*(?!\/))*\*\/\n+import /m;
  expect(outsideTidy.filter((path) => header.test(readText(path)))).toEqual([]);
});

test("comments lead with the noun or verb that they describe", () => {
  expect(findLines(outsideTidy, /^\s*(\/\*\*|\/\/) (Of|That|Told|Those|None|Such) /)).toEqual([]);
});

function lineCount(path: string): number {
  return readText(path).split("\n").length;
}
