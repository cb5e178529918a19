/** A small image archive made of the machine's own static busybox (Debian package busybox-static). */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  access,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const busybox = "/bin/busybox";
const cache = join(tmpdir(), "podfleet-testkit");

export interface BusyboxArchiveOptions {
  /** The image's name. */
  readonly reference?: string;
  /** Over the defaults of the image's run configuration: `Cmd`, `Entrypoint`, `Env`, `User`, `WorkingDir`, `StopSignal`. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/**
 * Path of a docker-archive (a plain tar) of one layer: busybox with all its applets, a few users and groups, and the
 * directories a root filesystem has. Equal options give the same file; it is built once and kept.
 */
export async function busyboxArchive(options: BusyboxArchiveOptions = {}): Promise<string> {
  const reference = options.reference ?? "docker.io/library/busybox:latest";
  const config = { Cmd: ["sh"], Env: ["PATH=/bin:/usr/bin"], ...options.config };
  const recipe = JSON.stringify({ reference, config, files, directories });
  const key = sha256(Buffer.concat([await readFile(busybox), Buffer.from(recipe)])).slice(0, 16);
  const archive = join(cache, `busybox-${key}.tar`);
  if (await exists(archive)) return archive;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, "build-"));
  try {
    await buildArchive(work, { reference, config });
    await rename(join(work, "archive.tar"), archive);
  } finally {
    await rm(work, { recursive: true });
  }
  return archive;
}

const directories = [
  "bin",
  "dev",
  "etc",
  "home/app",
  "proc",
  "root",
  "sys",
  "tmp",
  "usr/bin",
  "var",
];

const files = {
  "etc/passwd": `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
app:x:1000:1000:app:/home/app:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
`,
  "etc/group": `root:x:0:
daemon:x:1:
staff:x:50:app
app:x:1000:
nogroup:x:65534:
`,
  "etc/not-executable": "plain text\n",
} as const;

async function buildArchive(
  work: string,
  image: { readonly reference: string; readonly config: Readonly<Record<string, unknown>> },
): Promise<void> {
  const rootfs = join(work, "rootfs");
  const contents = join(work, "contents");
  await mkdir(contents);
  await populate(rootfs);
  await pack(rootfs, join(contents, "layer.tar"));
  const layer = await readFile(join(contents, "layer.tar"));
  const config = JSON.stringify({
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    created: "2026-01-01T00:00:00Z",
    config: image.config,
    rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
  });
  const configName = `${sha256(Buffer.from(config))}.json`;
  const manifest = [{ Config: configName, RepoTags: [image.reference], Layers: ["layer.tar"] }];
  await writeFile(join(contents, configName), config);
  await writeFile(join(contents, "manifest.json"), JSON.stringify(manifest));
  await pack(contents, join(work, "archive.tar"));
}

async function populate(rootfs: string): Promise<void> {
  for (const directory of directories) await mkdir(join(rootfs, directory), { recursive: true });
  for (const [path, text] of Object.entries(files)) await writeFile(join(rootfs, path), text);
  await run("cp", [busybox, join(rootfs, "bin/busybox")]);
  const { stdout } = await run(busybox, ["--list"]);
  for (const applet of stdout.trim().split("\n")) {
    if (applet !== "busybox") await symlink("busybox", join(rootfs, "bin", applet));
  }
}

/** The same bytes for the same files, whenever and by whomever they were made. */
async function pack(directory: string, archive: string): Promise<void> {
  const owners = ["--owner=0", "--group=0", "--numeric-owner"];
  const entries = (await readdir(directory)).toSorted();
  const order = ["--sort=name", "--mtime=@0", ...owners];
  await run("tar", [...order, "-cf", archive, "-C", directory, ...entries]);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    // Safe to ignore: it is built then.
    return false;
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
