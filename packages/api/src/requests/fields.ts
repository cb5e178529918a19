/** Input fields that several procedures share. */
import { hostIdSchema, operationIdSchema } from "@podfleet/model/ids";
import { containerNameSchema, hostNameSchema } from "@podfleet/model/name";
import { z } from "zod";

/** A container's name, its id, or a prefix of its id that fits no other. */
export const containerReferenceSchema = containerNameSchema;

/** A host's name or id. */
export const hostReferenceSchema = z.union([hostNameSchema, hostIdSchema]);

/** Names the mutation, so that a retry with the same id takes effect once. */
export const mutationInput = { operationId: operationIdSchema.optional() };

export const timeSchema = z.iso.datetime({
  offset: true,
  error: 'must be an ISO 8601 time with "Z" or an offset',
});

/** An offset in a journal, as the id of an event of a subscription. */
export const offsetSchema = z.string().regex(/^\d{1,15}$/, "must be an offset");
