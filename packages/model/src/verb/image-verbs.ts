import type { VerbDefinition } from "./definition.ts";

/** Verbs on the images of a host. */
export const imageVerbs = {
  /** Loads every image of an archive. */
  "image.load": { on: "image", needs: "operate", upload: true, input: {} },
} as const satisfies Record<`image.${string}`, VerbDefinition>;
