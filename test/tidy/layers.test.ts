import { readdirSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";
import { z } from "zod";

import { type Layer, layers, workspacePackages } from "../../scripts/layers.ts";
import { readText, root } from "./repository.ts";

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

test("the layers have no circle", () => {
  const visit = (name: string, path: readonly string[]): void => {
    expect(path, `circle: ${[...path, name].join(" -> ")}`).not.toContain(name);
    for (const next of layers[name]?.imports ?? []) visit(next, [...path, name]);
  };
  for (const name of workspacePackages) visit(name, []);
});

test("the table in ARCHITECTURE.md is the one that the linter enforces", () => {
  const section = readText("ARCHITECTURE.md").split("## Layers")[1] ?? "";
  const rows = [...section.matchAll(/^\| `([a-z-]+)` \| (.*?) \|/gm)];
  const written = Object.fromEntries(rows.map(([, name, cell]) => [name, cell]));
  const expected = Object.entries(layers).map(([name, layer]) => [name, describeLayer(layer)]);
  expect(written).toEqual(Object.fromEntries(expected));
});

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
