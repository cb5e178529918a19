import { z } from "zod";

const key = String.raw`([!-+\--~]|ctrl-[a-z@\[\]^_\\])`;

/** podman's and Docker's. */
export const detachKeysDefault = "ctrl-p,ctrl-q";

/** Keys to be typed one after the other, in podman's form: `ctrl-p,ctrl-q`; a key is a character or `ctrl-` and one of a-z @ [ \ ] ^ _. */
export const detachKeysSchema = z
  .string()
  .regex(
    new RegExp(`^(${key}(,${key}){0,7})?$`),
    'must be keys joined by ",", each a character or "ctrl-" and one of a-z @ [ \\ ] ^ _',
  );
