import { readdirSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";
import { z } from "zod";

import { type Layer, layers, workspacePackages } from "../../scripts/layers.ts";
import { listFiles, readText, root } from "./repository.ts";

const manifestSchema = z.object({
  name: z.string(),
  dependencies: z.record(z.string(), z.string()).default({}),
});

test("every package is a layer", () => {
  const folders = ["apps", "packages"].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => `${parent}/${name}`),
  );
  const known = workspacePackages.map((name) => layers[name]?.folder);
  expect(new Set(folders)).toEqual(new Set(known));
});

test.each(workspacePackages)("%s depends on what its layer may import", (name) => {
  const layer = layers[name] as Layer;
  const manifest = manifestSchema.parse(JSON.parse(readText(`${layer.folder}/package.json`)));
  expect(manifest.name).toBe(`@podfleet/${name}`);
  const allowed = new Set([...layer.imports, ...entryPackages(layer)]);
  expect(ownPackages(manifest.dependencies).filter((other) => !allowed.has(other))).toEqual([]);
});

const layersWithFolders = workspacePackages.filter((name) => layers[name]?.folders);

test.each(layersWithFolders)("the order of %s's folders has each of them", (name) => {
  const { folder, folders = [] } = layers[name] as Layer;
  const entries = readdirSync(join(root, folder, "src"), { withFileTypes: true });
  const found = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  expect(folders.toSorted()).toEqual(found.toSorted());
});

test.each(layersWithFolders)("the folders of %s import each other without a circle", (name) => {
  const { folder, folders = [] } = layers[name] as Layer;
  const imports = new Map(folders.map((each) => [each, importedFolders(`${folder}/src/${each}`)]));
  expect(findCircle(folders, (each) => imports.get(each) ?? [])).toBeUndefined();
});

test("the layers have no circle", () => {
  expect(findCircle(workspacePackages, (name) => layers[name]?.imports ?? [])).toBeUndefined();
});

test("the table in ARCHITECTURE.md is the one that the linter enforces", () => {
  const section = readText("ARCHITECTURE.md").split("## Layers")[1] ?? "";
  const rows = [...section.matchAll(/^\| `([a-z-]+)` \| (.*?) \|/gm)];
  const written = Object.fromEntries(rows.map(([, name, cell]) => [name, cell]));
  const expected = Object.entries(layers).map(([name, layer]) => [name, describeLayer(layer)]);
  expect(written).toEqual(Object.fromEntries(expected));
});

/** Returns a circle of imports as `a -> b -> a`; undefined when there is none. */
function findCircle(
  names: readonly string[],
  importsOf: (name: string) => readonly string[],
): string | undefined {
  const visit = (name: string, path: readonly string[]): string | undefined => {
    if (path.includes(name)) return [...path, name].join(" -> ");
    return importsOf(name)
      .map((next) => visit(next, [...path, name]))
      .find((circle) => circle !== undefined);
  };
  return names.map((name) => visit(name, [])).find((circle) => circle !== undefined);
}

/** Lists the sibling folders that the sources in `folder` import, tests aside. */
function importedFolders(folder: string): string[] {
  const sources = listFiles(folder).filter((path) => !/\.(test|suite)\.ts$|\/test-/.test(path));
  const found = sources.flatMap((path) => [...readText(path).matchAll(/from "\.\.\/([a-z-]+)\//g)]);
  return [...new Set(found.map(([, name = ""]) => name))];
}

function describeLayer({ imports, entries = [] }: Layer): string {
  const parts = [
    ...imports,
    ...entries.map(({ entry, typesOnly }) => `\`${entry}\`${typesOnly ? " (types)" : ""}`),
  ];
  return parts.length === 0 ? "nothing" : parts.join(", ");
}

function entryPackages({ entries = [] }: Layer): string[] {
  return entries.map(({ entry }) => entry.slice(0, entry.indexOf("/")));
}

function ownPackages(dependencies: Record<string, string>): string[] {
  return Object.keys(dependencies).flatMap((name) => /^@podfleet\/(.+)$/.exec(name)?.[1] ?? []);
}
