import { listImages } from "@podfleet/db/images";

import { procedure, router } from "./trpc.ts";

export const imagesRouter = router({
  list: procedure.query(async ({ ctx }) => await listImages(ctx.fleet.database)),
});
