/** The files of the repository, as the tidy tests look at them. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { execa } from "execa";

export const root = resolve(import.meta.dirname, "../..");

/** Every file that is or would be committed, relative to the root. */
export async function listFiles(): Promise<string[]> {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard"];
  const { stdout } = await execa("git", args, { cwd: root, timeout: 30_000 });
  return stdout.split("\n").filter((path) => path !== "" && existsSync(join(root, path)));
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
