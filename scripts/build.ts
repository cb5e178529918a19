/**
 * Bundles the three programs: `apps/<app>/src/main.ts` to `apps/<app>/dist/main.mjs`. A program file needs a third of the time and memory of
 * the sources to start. An app with unchanged inputs is not rebuilt.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { build, type Plugin } from "esbuild";

export const apps = ["control-plane", "agent", "cli"] as const;
export type App = (typeof apps)[number];

export interface BuiltApp {
  readonly app: App;
  /** False when the file on disk was up to date. */
  readonly changed: boolean;
  /** Hash of the program file's inputs. A process started from a file with another hash is outdated. */
  readonly hash: string;
}

const root = resolve(import.meta.dirname, "..");

/** Inputs of every program file besides its sources: installed libraries and this script. */
const sharedInputs = ["pnpm-lock.yaml", "scripts/build.ts"];

/** Folders that a program reads at run time; they are copied beside it. */
const assets: Partial<Record<App, string>> = {
  "control-plane": "packages/db/migrations",
  agent: "packages/engine/migrations",
};

interface Manifest {
  readonly hash: string;
  readonly inputs: readonly string[];
}

export async function buildApps(): Promise<BuiltApp[]> {
  return await Promise.all(apps.map(buildApp));
}

async function buildApp(app: App): Promise<BuiltApp> {
  const folder = join(root, "apps", app);
  const asset = assets[app];
  return { app, ...(await ensureBundle(join(folder, "src/main.ts"), { folder, asset })) };
}

/**
 * Bundles a program as `dist/main.mjs` of a folder, with the native addons that it loads beside it. Does nothing when the file is up to
 * date.
 */
export async function ensureBundle(
  entry: string,
  { folder, asset }: { readonly folder: string; readonly asset?: string | undefined },
): Promise<Omit<BuiltApp, "app">> {
  const dist = join(folder, "dist");
  const manifestPath = join(dist, "manifest.json");
  const complete = existsSync(manifestPath) && existsSync(join(dist, "main.mjs"));
  const known = complete ? await readManifest(manifestPath) : undefined;
  if (known && (await hashFiles(known.inputs)) === known.hash) {
    return { changed: false, hash: known.hash };
  }
  // Built beside the old file, which running processes still read, and at the same depth, which source maps depend on.
  const made = join(folder, `.dist-${process.pid}`);
  try {
    const sources = await bundle(entry, made);
    const assetInputs = asset ? await copyAsset(asset, made) : [];
    const inputs = [...sources, ...assetInputs, ...sharedInputs].toSorted();
    const hash = await hashFiles(inputs);
    const manifest = JSON.stringify({ hash, inputs } satisfies Manifest, null, 2);
    await writeFile(join(made, "manifest.json"), manifest);
    await replaceFolder(dist, made);
    return { changed: true, hash };
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

async function replaceFolder(folder: string, replacement: string): Promise<void> {
  const old = `${replacement}.old`;
  if (existsSync(folder)) await rename(folder, old);
  await rename(replacement, folder);
  await rm(old, { recursive: true, force: true });
}

/** @returns the sources of the file, relative to the root */
async function bundle(entry: string, outdir: string): Promise<string[]> {
  const result = await build({
    entryPoints: [entry],
    outfile: join(outdir, "main.mjs"),
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    sourcemap: "linked",
    // Keeps the names of functions in stack traces.
    minify: false,
    metafile: true,
    logLevel: "error",
    loader: { ".node": "copy" },
    plugins: [staticSqliteBinding, staticKoffiBinding],
    // CommonJS dependencies call require() at run time, which an ES module lacks.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
  });
  return Object.keys(result.metafile.inputs).filter((path) => !path.includes("node_modules/"));
}

/** Selects better-sqlite3's entry for this platform, which requires its prebuilt addon by a fixed path, so that the addon can be copied. */
const staticSqliteBinding: Plugin = {
  name: "static-sqlite-binding",
  setup: (builder) => {
    builder.onResolve({ filter: /^better-sqlite3$/ }, (args) =>
      builder.resolve(`better-sqlite3/linux-${process.arch}`, {
        kind: args.kind,
        resolveDir: args.resolveDir,
      }),
    );
  },
};

/** Replaces koffi, which looks for its prebuilt addon at run time, with a fixed path to the addon for this platform. */
const staticKoffiBinding: Plugin = {
  name: "static-koffi-binding",
  setup: (builder) => {
    const addon = `linux-${process.arch}/linux_${process.arch}/koffi.node`;
    builder.onResolve({ filter: /^koffi$/ }, async ({ kind, resolveDir, pluginData }) => {
      if (pluginData === "koffi itself") return undefined;
      const options = { kind, resolveDir, pluginData: "koffi itself" };
      const { path } = await builder.resolve("koffi", options);
      return { path, namespace: "koffi" };
    });
    builder.onLoad({ filter: /.*/, namespace: "koffi" }, ({ path }) => ({
      contents: `module.exports = require("@koromix/koffi-${addon}");`,
      resolveDir: dirname(path),
    }));
  },
};

async function copyAsset(folder: string, outdir: string): Promise<string[]> {
  const copied: string[] = [];
  await cp(join(root, folder), join(outdir, "migrations"), {
    recursive: true,
    filter: (source) => {
      if (/\.(sql|json)$/.test(source)) copied.push(source.slice(root.length + 1));
      return true;
    },
  });
  return copied;
}

/** Hashes files. A missing file changes the hash too. */
async function hashFiles(paths: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const path of paths) {
    const full = join(root, path);
    hash.update(`${path}\0`).update(existsSync(full) ? await readFile(full) : "\0");
  }
  return hash.digest("hex");
}

async function readManifest(path: string): Promise<Manifest> {
  return JSON.parse(await readFile(path, "utf8")) as Manifest;
}

if (import.meta.main) {
  const startedMs = performance.now();
  for (const { app, changed } of await buildApps()) {
    console.log(`${app.padEnd(14)}${changed ? "built" : "unchanged"}`);
  }
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}
