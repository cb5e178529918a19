/** The files of the repository, as the tidy tests look at them. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../..");

/** Folders that .gitignore names, and git's own. */
const ignored = /^(node_modules|dist|\.dist-.*|.*\.log|\.vitest|coverage|\.git)$/;

/** Every file that is or would be committed, relative to the root; git need not be there to tell. */
export function listFiles(folder = ""): string[] {
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  return entries
    .filter(({ name }) => !ignored.test(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? listFiles(path) : [path];
    });
}

export function readText(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** Matches of `pattern` as `path:line: text`, for a failure that names each place. */
export function findLines(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    readText(path)
      .split("\n")
      .flatMap((line, index) =>
        pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [],
      ),
  );
}
