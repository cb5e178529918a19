/** A JSON reply: a value or an error. A binary reply carries an error in this shape too, with the header `error`. */
import { wireErrorSchema } from "@podfleet/model/errors";
import { z } from "zod";

export const errorReplySchema = z.object({ error: wireErrorSchema });

/** Header of a binary reply that holds an error instead of bytes; its value is the error as JSON. */
export const errorHeader = "Podfleet-Error";
