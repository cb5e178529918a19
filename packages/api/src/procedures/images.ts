import { procedure, router } from "./trpc.ts";

export const imagesRouter = router({
  list: procedure.query(async ({ ctx }) => await ctx.services.images.list()),
});
