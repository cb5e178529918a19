import { defineConfig } from "oxlint";
import type { OxlintOverride } from "oxlint";

import { layers, oneImporter, workspacePackages } from "./scripts/layers.ts";
import type { Layer, OneImporter } from "./scripts/layers.ts";

type RestrictedPattern = {
  readonly message: string;
  readonly allowTypeImports?: boolean;
  readonly importNames?: string[];
} & ({ readonly group: string[] } | { readonly regex: string });

/** Tests, and what only the tests of one package share. */
const tests = ["**/*.test.ts", "**/*.suite.ts", "**/test-*.ts"];

interface Zone {
  readonly layer: string;
  readonly folder: string;
}

/** Layers, and the folders below them whose rules differ from the layer's own. */
const zones: readonly Zone[] = [
  ...Object.entries(layers).map(([layer, { folder }]) => ({ layer, folder })),
  ...Object.entries(layers).flatMap(([layer, { folder, folders = [] }]) =>
    folders.map((name) => ({ layer, folder: `${folder}/src/${name}` })),
  ),
  { layer: "testkit", folder: "test" },
  { layer: "testkit", folder: "test/bench" },
  { layer: "infra", folder: "scripts" },
];

const noSleep = "A test waits for what it expects, with a deadline; it does not sleep";

const sleeps: readonly RestrictedPattern[] = [
  { group: ["@podfleet/base/pause"], message: noSleep },
  {
    group: ["node:timers/promises", "timers/promises"],
    importNames: ["setTimeout", "setInterval", "scheduler"],
    message: noSleep,
  },
];

/** A test may use every package that is not an app. */
const testPackages = workspacePackages.filter((name) =>
  layers[name]?.folder.startsWith("packages/"),
);

/** A later override replaces an earlier one's rule, so each zone lists all that it may not import. */
function importOverrides(): OxlintOverride[] {
  return zones.flatMap(({ layer: name, folder }) => {
    const layer = layers[name];
    if (!layer) throw new Error(`No layer is called "${name}"`);
    const restricted = (
      allowed: readonly string[],
      libraries: readonly OneImporter[],
      others: readonly RestrictedPattern[] = [],
    ): NonNullable<OxlintOverride["rules"]> => ({
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            ...layerPatterns(name, layer, allowed),
            ...libraryPatterns(folder, libraries),
            ...others,
          ],
        },
      ],
    });
    const librariesOfTests = oneImporter.filter(({ testsToo }) => testsToo);
    const source = {
      files: [`${folder}/**`],
      rules: restricted(layer.imports, oneImporter, folderPatterns(layer, folder)),
    };
    const testSource = {
      files: tests.map((pattern) => `${folder}/${pattern}`),
      rules: restricted(testPackages, librariesOfTests, sleeps),
    };
    if (folder === "test")
      return [{ ...source, rules: restricted(workspacePackages, librariesOfTests, sleeps) }];
    // Benches measure time, and let it pass.
    if (folder === "test/bench")
      return [{ ...source, rules: restricted(workspacePackages, librariesOfTests) }];
    return [source, testSource];
  });
}

function layerPatterns(
  name: string,
  layer: Layer,
  allowed: readonly string[],
): RestrictedPattern[] {
  const forbidden = workspacePackages.filter((other) => other !== name && !allowed.includes(other));
  const patterns = forbidden.map((other) => {
    const exceptions = (layer.entries ?? []).filter(({ entry }) => entry.startsWith(`${other}/`));
    return {
      group: [`@podfleet/${other}/*`, ...exceptions.map(({ entry }) => `!@podfleet/${entry}`)],
      message: `${name} may not import ${other}: ${layer.reason} (ARCHITECTURE.md, Layers)`,
    };
  });
  const typesOnly = (layer.entries ?? [])
    .filter((exception) => exception.typesOnly)
    .map(({ entry }) => ({
      group: [`@podfleet/${entry}`],
      allowTypeImports: true,
      message: `${name} may import types only from ${entry}: ${layer.reason}`,
    }));
  // testkit starts the servers that set-up starts, with the same launchers.
  const levels = name === "testkit" ? 4 : 3;
  const acrossFolders = {
    regex: String.raw`^(\.\./)+(apps|packages|node_modules)/|^(\.\./){${levels}}`,
    message: "Import another package by its name, and a file of this one by a short path",
  };
  return [...patterns, ...typesOnly, acrossFolders];
}

/** Keeps a folder of a layer from importing those above it, and the files beside them. */
function folderPatterns(
  { folder: root, folders = [] }: Layer,
  folder: string,
): RestrictedPattern[] {
  const position = folders.findIndex((name) => folder === `${root}/src/${name}`);
  if (position < 0) return [];
  const own = folders[position];
  const above = folders.slice(position + 1);
  const files = {
    regex: String.raw`^\.\./[^/]+\.ts$`,
    message: `${own} may not import a file of src: those stand above all folders (scripts/layers.ts)`,
  };
  if (above.length === 0) return [files];
  const reason = `folders of a package depend on each other in one direction (scripts/layers.ts)`;
  return [
    files,
    {
      regex: String.raw`^\.\./(${above.join("|")})/`,
      message: `${own} may not import ${above.join(", ")}: ${reason}`,
    },
  ];
}

function libraryPatterns(folder: string, libraries: readonly OneImporter[]): RestrictedPattern[] {
  return libraries
    .filter(({ folders }) => !folders.some((allowed) => `${folder}/`.startsWith(`${allowed}/`)))
    .map(({ libraries: group, folders, reason }) => ({
      group: [...group],
      message: `Only ${folders.join(", ")} may import it: ${reason}`,
    }));
}

export default defineConfig({
  plugins: ["eslint", "typescript", "unicorn", "oxc", "import", "node", "promise", "vitest"],
  options: { typeAware: true },
  ignorePatterns: ["**/dist/**", "packages/*/migrations/**"],
  categories: { correctness: "error" },
  rules: {
    eqeqeq: "error",
    "no-var": "error",
    "prefer-const": "error",
    "no-empty": "error",
    "no-empty-function": "error",
    "no-console": "error",
    "max-lines": ["error", { max: 600 }],
    "max-lines-per-function": ["error", { max: 70 }],
    "max-params": ["error", { max: 3 }],
    "import/no-cycle": "error",
    "import/no-default-export": "error",
    "node/no-process-env": "error",
    "oxc/no-barrel-file": "error",
    "typescript/await-thenable": "error",
    "typescript/consistent-type-imports": "error",
    "typescript/no-explicit-any": "error",
    "typescript/no-floating-promises": "error",
    "typescript/no-misused-promises": "error",
    "typescript/no-non-null-assertion": "error",
    "typescript/only-throw-error": "error",
    "typescript/return-await": ["error", "error-handling-correctness-only"],
    "typescript/switch-exhaustiveness-check": [
      "error",
      { considerDefaultExhaustiveForUnions: true },
    ],
    // Grouping a flag with its value by a spread keeps the pair on one line.
    "unicorn/no-useless-spread": "off",
    "no-unused-vars": [
      "error",
      { argsIgnorePattern: "^_", varsIgnorePattern: "^_", ignoreRestSiblings: true },
    ],
    // A promise of an assertion may be kept and awaited later; no-floating-promises finds one that is not.
    "vitest/valid-expect": "off",
    "vitest/no-standalone-expect": [
      "error",
      { additionalTestBlockFunctions: ["beforeAll", "beforeEach", "afterEach", "afterAll"] },
    ],
    "vitest/no-focused-tests": "error",
    "vitest/no-disabled-tests": "error",
  },
  overrides: [
    ...importOverrides(),
    {
      files: ["*.config.ts", "apps/*/*.config.ts", "packages/*/*.config.ts"],
      rules: { "import/no-default-export": "off" },
    },
    {
      files: ["apps/*/src/config.ts", "infra/**", "packages/testkit/**", "test/**"],
      rules: { "node/no-process-env": "off" },
    },
    {
      files: ["infra/**", "scripts/**", "test/bench/**", "apps/cli/src/output/**"],
      rules: { "no-console": "off" },
    },
    {
      // commander passes the arguments one by one, the client before them and the flags after.
      files: ["apps/cli/src/commands/**"],
      rules: { "max-params": ["error", { max: 4 }] },
    },
    {
      files: [...tests, "packages/testkit/**", "packages/simulator/**", "test/**"],
      rules: { "max-lines": "off", "max-lines-per-function": "off", "max-params": "off" },
    },
    {
      files: [...tests, "test/{e2e,faults}/**"],
      rules: {
        "no-restricted-globals": [
          "error",
          ...["setTimeout", "setInterval"].map((name) => ({ name, message: noSleep })),
        ],
        "no-restricted-properties": [
          "error",
          { object: "systemClock", property: "sleep", message: noSleep },
          ...["waitFor", "waitUntil"].map((property) => ({
            object: "vi",
            property,
            message: "testkit's waitFor has a deadline for a machine that does much else",
          })),
          ...["mock", "doMock"].map((property) => ({
            object: "vi",
            property,
            message: "Use the real thing, or a fake that testkit supports",
          })),
        ],
      },
    },
  ],
});
