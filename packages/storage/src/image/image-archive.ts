/**
 * The images in an unpacked archive: an OCI image layout (`oci-layout`, `index.json`, `blobs/`) or what `docker save` writes
 * (`manifest.json`). An archive that is both is read as Docker's, which has the images' names.
 */
import { readFile } from "node:fs/promises";

import { PodfleetError } from "@podfleet/model/errors";
import { type ImageId, imageIdSchema } from "@podfleet/model/ids";
import { fullImageName } from "@podfleet/model/image";
import { type ImageConfig, parseImageConfig } from "@podfleet/model/image-config";
import { z } from "zod";

import type { UnpackedArchive, UnpackedFile } from "../archive/unpacked-archive.ts";
import type { ArchivedLayer } from "../layer/layer-store.ts";

export interface ArchivedImage {
  readonly id: ImageId;
  readonly names: readonly string[];
  readonly configText: string;
  readonly config: ImageConfig;
  /** The layers, the lowest first: one for each diff id of the configuration. */
  readonly layers: readonly ArchivedLayer[];
}

const documentBytesMax = 8 * 1024 * 1024;
/** The overlay file system's limit of 128 layers, less the container's own. */
const layersMax = 127;
const indexDepthMax = 4;

/**
 * Reads the archive's images for an architecture.
 * @throws PodfleetError IMAGE_INVALID, also when there is none
 */
export async function readArchivedImages(
  archive: UnpackedArchive,
  architecture: string,
): Promise<ArchivedImage[]> {
  const images = archive.has("manifest.json")
    ? await readDockerArchive(archive)
    : await readOciLayout(archive, architecture);
  if (images.length > 0) return images;
  throw invalid(`it holds no image for ${architecture}`);
}

const dockerManifestSchema = z.array(
  z.object({
    Config: z.string(),
    RepoTags: z.array(z.string()).nullish(),
    Layers: z.array(z.string()),
  }),
);

async function readDockerArchive(archive: UnpackedArchive): Promise<ArchivedImage[]> {
  const entries = await readJson(archive.get("manifest.json"), dockerManifestSchema);
  return await Promise.all(
    entries.map(async (entry) => {
      const names = (entry.RepoTags ?? []).map((name) => fullDockerName(name));
      const layers = entry.Layers.map((name) => archive.get(name));
      return await makeImage(archive.get(entry.Config), layers, names);
    }),
  );
}

/** Adds the registry that Docker leaves out: `busybox` is `docker.io/library/busybox:latest`. */
function fullDockerName(name: string): string {
  const full = fullImageName(name);
  if (!full.startsWith("localhost/") || name.startsWith("localhost/")) return full;
  const path = full.slice("localhost/".length);
  return path.includes("/") ? `docker.io/${path}` : `docker.io/library/${path}`;
}

const descriptorSchema = z.object({
  mediaType: z.string().optional(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be a sha256 digest"),
  size: z.number().int().min(0),
  annotations: z.record(z.string(), z.string()).optional(),
  platform: z.object({ os: z.string(), architecture: z.string() }).optional(),
});
type Descriptor = z.infer<typeof descriptorSchema>;

const indexSchema = z.object({ manifests: z.array(descriptorSchema) });
const manifestSchema = z.object({
  config: descriptorSchema,
  layers: z.array(descriptorSchema),
});

async function readOciLayout(
  archive: UnpackedArchive,
  architecture: string,
): Promise<ArchivedImage[]> {
  if (!archive.has("index.json")) {
    throw invalid('it has neither "index.json" (OCI) nor "manifest.json" (Docker)');
  }
  const { manifests } = await readJson(archive.get("index.json"), indexSchema);
  const images = new Map<ImageId, ArchivedImage>();
  for (const descriptor of manifests) {
    const manifest = await findManifest(archive, descriptor, { architecture, depth: 0 });
    if (manifest === undefined) continue;
    const layers = manifest.layers.map((layer) => blob(archive, layer));
    const names = ociNames(descriptor);
    const image = await makeImage(blob(archive, manifest.config), layers, names);
    const known = images.get(image.id)?.names ?? [];
    images.set(image.id, { ...image, names: [...new Set([...known, ...image.names])] });
  }
  return [...images.values()];
}

/** Finds the manifest for this architecture; undefined when the descriptor is for another one, or not for a machine (an attestation). */
async function findManifest(
  archive: UnpackedArchive,
  descriptor: Descriptor,
  search: { readonly architecture: string; readonly depth: number },
): Promise<z.infer<typeof manifestSchema> | undefined> {
  const { platform } = descriptor;
  if (platform && !(platform.os === "linux" && platform.architecture === search.architecture)) {
    return undefined;
  }
  const document = await readJson(
    blob(archive, descriptor),
    z.union([manifestSchema, indexSchema]),
  );
  if ("config" in document) return document;
  if (search.depth >= indexDepthMax) throw invalid("its indexes are nested too deeply");
  for (const inner of document.manifests) {
    const found = await findManifest(archive, inner, { ...search, depth: search.depth + 1 });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Reads the image's name from containerd's annotation, which is a full name, or from the standard one, which may be a mere tag. */
function ociNames({ annotations = {} }: Descriptor): string[] {
  const name =
    annotations["io.containerd.image.name"] ?? annotations["org.opencontainers.image.ref.name"];
  return name === undefined ? [] : [fullImageName(name)];
}

function blob(archive: UnpackedArchive, descriptor: Descriptor): UnpackedFile {
  const file = archive.get(`blobs/${descriptor.digest.replace(":", "/")}`);
  if (file.digest === descriptor.digest && file.sizeBytes === descriptor.size) return file;
  throw invalid(`blob "${descriptor.digest}" has digest "${file.digest}", ${file.sizeBytes} bytes`);
}

async function makeImage(
  configFile: UnpackedFile,
  layers: readonly UnpackedFile[],
  names: readonly string[],
): Promise<ArchivedImage> {
  const configText = await readText(configFile);
  const config = parseImageConfig(configText);
  assertNamedByDigest(configFile);
  if (config.diffIds.length !== layers.length) {
    throw invalid(
      `it has ${layers.length} layers, and ${config.diffIds.length} in its configuration`,
    );
  }
  if (layers.length > layersMax) {
    throw invalid(`it has ${layers.length} layers, must be at most ${layersMax}`);
  }
  return {
    id: imageIdSchema.parse(configFile.digest),
    names,
    configText,
    config,
    layers: layers.map((file, index) => ({ file, diffId: config.diffIds[index] ?? "" })),
  };
}

/** Checks a configuration that is named by its digest, as Docker's and OCI's are. */
function assertNamedByDigest(file: UnpackedFile): void {
  const hex = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(file.name)?.[1];
  if (hex === undefined || file.digest === `sha256:${hex}`) return;
  throw invalid(`"${file.name}" has digest "${file.digest}"`);
}

async function readJson<T>(file: UnpackedFile, schema: z.ZodType<T>): Promise<T> {
  const text = await readText(file);
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new PodfleetError(
      "IMAGE_INVALID",
      `Cannot load the image archive: "${file.name}": ${reason}`,
      { cause: error },
    );
  }
}

async function readText(file: UnpackedFile): Promise<string> {
  if (file.sizeBytes <= documentBytesMax) return await readFile(file.path, "utf8");
  throw invalid(
    `"${file.name}" has ${file.sizeBytes} bytes, must have at most ${documentBytesMax}`,
  );
}

function invalid(reason: string): PodfleetError {
  return new PodfleetError("IMAGE_INVALID", `Cannot load the image archive: ${reason}`);
}
