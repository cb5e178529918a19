/**
 * An image made of the machine's static busybox, so that containers can run without a registry. The same busybox gives the same image
 * id.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";

import { execa } from "execa";
import tar from "tar-stream";

export const busyboxImageName = "localhost/busybox:latest";

export interface BusyboxImageOptions {
  readonly name?: string;
  /** Overrides of the image's run configuration: `Cmd`, `Entrypoint`, `Env`, `User`, `WorkingDir`, `StopSignal`. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Further text files in the root filesystem, by path. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface ImageArchive {
  /** Digest of the image's configuration. */
  readonly id: string;
  /** In the format of `docker save`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** @throws Error when no busybox is installed */
export async function makeBusyboxImage(options: BusyboxImageOptions = {}): Promise<ImageArchive> {
  const { name = busyboxImageName } = options;
  const layer = await makeLayer({ ...accounts, ...options.files });
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      os: "linux",
      config: { Cmd: ["sh"], Env: ["PATH=/bin"], ...options.config },
      rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
      history: [{ created_by: "podfleet: static busybox" }],
    }),
  );
  const configPath = `${sha256(config)}.json`;
  const manifest = [{ Config: configPath, RepoTags: [name], Layers: ["layer.tar"] }];
  const bytes = await pack([
    { name: "layer.tar", content: layer },
    { name: configPath, content: config },
    { name: "manifest.json", content: Buffer.from(JSON.stringify(manifest)) },
  ]);
  return { id: `sha256:${sha256(config)}`, bytes };
}

async function makeLayer(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const busybox = ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path));
  if (busybox === undefined) {
    throw new Error('Cannot find busybox: install the Debian package "busybox-static"');
  }
  const { stdout } = await execa(busybox, ["--list"], { timeout: 10_000 });
  const applets = stdout.split("\n").filter((applet) => applet !== "busybox");
  return await pack([
    ...directories.map((name) => ({ name })),
    { name: "root", mode: 0o700 },
    { name: "tmp", mode: 0o1777 },
    ...Object.entries(files).map(([path, text]) => ({ name: path, content: Buffer.from(text) })),
    { name: "bin/busybox", mode: 0o755, content: await readFile(busybox) },
    ...applets.map((applet) => ({ name: `bin/${applet}`, linkTo: "busybox" })),
  ]);
}

const directories = "bin dev etc home home/app proc sys usr usr/bin var".split(" ");

const accounts = {
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
};

/** A file if it has `content`, a symbolic link if it has `linkTo`, else a directory. */
interface Entry {
  readonly name: string;
  readonly mode?: number;
  readonly content?: Buffer;
  readonly linkTo?: string;
}

async function pack(entries: readonly Entry[]): Promise<Buffer<ArrayBuffer>> {
  const archive = tar.pack();
  const bytes = buffer(archive);
  for (const { name, mode, content, linkTo } of entries) {
    const header = { name, mtime: new Date(0), uid: 0, gid: 0 };
    if (content) archive.entry({ ...header, mode: mode ?? 0o644, size: content.length }, content);
    else if (linkTo) archive.entry({ ...header, type: "symlink", linkname: linkTo });
    else archive.entry({ ...header, type: "directory", mode: mode ?? 0o755 });
  }
  archive.finalize();
  return Buffer.from(await bytes);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
