import type { HostId } from "@podfleet/model/ids";
import type { Image, ImageRecord } from "@podfleet/model/image";
import { and, eq, ne, notInArray, sql } from "drizzle-orm";

import type { Database } from "./database.ts";
import { hostImages, hosts } from "./schema.ts";

/** Replaces the images recorded for the host. */
export async function replaceImages(
  database: Database,
  hostId: HostId,
  images: readonly Image[],
): Promise<void> {
  const kept = images.map(({ id }) => id);
  await database
    .delete(hostImages)
    .where(and(eq(hostImages.hostId, hostId), notInArray(hostImages.imageId, kept)));
  await upsertImages(database, hostId, images);
}

/** Adds to the images recorded for the host. Their names are taken from its other images. */
export async function addImages(
  database: Database,
  hostId: HostId,
  images: readonly Image[],
): Promise<void> {
  for (const { id, names } of images) {
    if (names.length === 0) continue;
    const taken = sql.param(names);
    await database
      .update(hostImages)
      .set({
        names: sql`array(select name from unnest(${hostImages.names}) name where name <> all(${taken}::text[]))`,
      })
      .where(
        and(
          eq(hostImages.hostId, hostId),
          ne(hostImages.imageId, id),
          sql`${hostImages.names} && ${taken}::text[]`,
        ),
      );
  }
  await upsertImages(database, hostId, images);
}

async function upsertImages(
  database: Database,
  hostId: HostId,
  images: readonly Image[],
): Promise<void> {
  if (images.length === 0) return;
  // A load is reported by its event and by its outcome, and one statement may touch a row only once. The last one is the newest.
  const newest = [...new Map(images.map((image) => [image.id, image])).values()];
  const rows = newest.map(({ id, createdAt, ...rest }) => ({
    hostId,
    imageId: id,
    ...rest,
    createdAt: createdAt === undefined ? null : new Date(createdAt),
  }));
  await database
    .insert(hostImages)
    .values(rows)
    .onConflictDoUpdate({
      target: [hostImages.hostId, hostImages.imageId],
      set: {
        names: sql`excluded.names`,
        sizeBytes: sql`excluded.size_bytes`,
        layers: sql`excluded.layers`,
        createdAt: sql`excluded.created_at`,
      },
    });
}

/** Lists each image once, with all its names and the hosts that hold it, ordered by first name. */
export async function listImages(database: Database): Promise<ImageRecord[]> {
  const rows = await database
    .select({ image: hostImages, host: hosts.name })
    .from(hostImages)
    .innerJoin(hosts, eq(hosts.id, hostImages.hostId))
    .orderBy(hosts.name);
  const byImage = Map.groupBy(rows, ({ image }) => image.imageId);
  const records = [...byImage.values()].map(toRecord);
  return records.toSorted((a, b) => compareText(a.names[0] ?? "", b.names[0] ?? ""));
}

function toRecord(
  copies: readonly { readonly image: typeof hostImages.$inferSelect; readonly host: string }[],
): ImageRecord {
  const [first] = copies;
  if (!first) throw new Error("An image without a host");
  const { image } = first;
  return {
    id: image.imageId,
    names: [...new Set(copies.flatMap((copy) => copy.image.names))].toSorted(),
    sizeBytes: image.sizeBytes,
    layers: image.layers,
    ...(image.createdAt ? { createdAt: image.createdAt.toISOString() } : {}),
    hosts: copies.map(({ host }) => host),
  };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
