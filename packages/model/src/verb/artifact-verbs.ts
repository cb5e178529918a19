import { artifactNameSchema } from "../artifact.ts";
import { notRemoving, type VerbDefinition } from "./definition.ts";

/** Verbs on the files that are kept with a container. */
export const artifactVerbs = {
  /** Takes the place of one of that name. */
  "artifact.add": {
    on: "container",
    needs: "operate",
    upload: true,
    input: { name: artifactNameSchema },
    can: {
      states: notRemoving,
      errors: ["INVALID_INPUT", "STORAGE_FAILED"],
      phrase: "add an artifact to",
    },
  },
  "artifact.remove": {
    on: "container",
    needs: "operate",
    input: { name: artifactNameSchema },
    can: {
      states: notRemoving,
      errors: ["ARTIFACT_NOT_FOUND", "STORAGE_FAILED"],
      phrase: "remove an artifact of",
    },
  },
} as const satisfies Record<`artifact.${string}`, VerbDefinition>;
