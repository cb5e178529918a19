/** Image archives for tests, made in memory. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";

import { type Header, pack } from "tar-stream";

export type TarEntry = Partial<Header> & {
  readonly name: string;
  readonly content?: string | Buffer;
};

export async function tar(entries: readonly TarEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries) {
    const full = {
      mode: header.type === "directory" ? 0o755 : 0o644,
      mtime: new Date(0),
      ...header,
    };
    if (content === undefined) archive.entry(full);
    else archive.entry(full, content);
  }
  archive.finalize();
  return await buffer(Readable.from(archive));
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

export interface TestLayer {
  /** The uncompressed tar stream. */
  readonly tar: Buffer;
  /** The layer's bytes in the archive; the tar stream itself when absent. */
  readonly blob?: Buffer;
}

export interface TestImage {
  readonly name?: string;
  readonly layers: readonly TestLayer[];
  readonly config?: Readonly<Record<string, unknown>>;
}

export function configOf(image: TestImage): Buffer {
  const diff_ids = image.layers.map((layer) => digestOf(layer.tar));
  return Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: image.config ?? null,
      rootfs: { type: "layers", diff_ids },
    }),
  );
}

/** Makes an archive as `docker save` writes it. */
export async function dockerArchive(images: readonly TestImage[]): Promise<Buffer> {
  const files = new Map<string, Buffer>();
  const manifest = images.map((image) => {
    const config = configOf(image);
    const Config = `${digestOf(config).slice("sha256:".length)}.json`;
    files.set(Config, config);
    const Layers = image.layers.map((layer) => {
      const name = `${digestOf(layer.tar).slice("sha256:".length)}/layer.tar`;
      files.set(name, layer.blob ?? layer.tar);
      return name;
    });
    return { Config, RepoTags: image.name === undefined ? null : [image.name], Layers };
  });
  const entries = Array.from(files, ([name, content]) => ({ name, content }));
  return await tar([...entries, { name: "manifest.json", content: JSON.stringify(manifest) }]);
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

/** Builds an OCI image layout: blobs by digest, and an index of the named ones. */
export class OciLayout {
  readonly #blobs = new Map<string, Buffer>();

  add(content: Buffer): Descriptor {
    const digest = digestOf(content);
    this.#blobs.set(digest, content);
    return { digest, size: content.length };
  }

  addJson(content: unknown): Descriptor {
    return this.add(Buffer.from(JSON.stringify(content)));
  }

  addImage(image: TestImage): Descriptor {
    const layers = image.layers.map((layer) => this.add(layer.blob ?? layer.tar));
    const manifest = this.addJson({ config: this.add(configOf(image)), layers });
    const annotations = { "org.opencontainers.image.ref.name": image.name ?? "" };
    return image.name === undefined ? manifest : { ...manifest, annotations };
  }

  /** Replaces the bytes under an existing digest. */
  corrupt(digest: string, content: Buffer): void {
    this.#blobs.set(digest, content);
  }

  async archive(manifests: readonly Descriptor[]): Promise<Buffer> {
    const index = JSON.stringify({ schemaVersion: 2, manifests });
    return await tar([
      { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
      { name: "index.json", content: index },
      ...Array.from(this.#blobs, ([digest, content]) => {
        return { name: `blobs/${digest.replace(":", "/")}`, content };
      }),
    ]);
  }
}
