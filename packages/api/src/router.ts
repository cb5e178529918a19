import { artifactsRouter } from "./procedures/artifacts.ts";
import { containersRouter } from "./procedures/containers.ts";
import { eventsRouter } from "./procedures/events.ts";
import { execRouter } from "./procedures/exec.ts";
import { hostsRouter } from "./procedures/hosts.ts";
import { imagesRouter } from "./procedures/images.ts";
import { operationsRouter } from "./procedures/operations.ts";
import { sessionsRouter } from "./procedures/sessions.ts";
import { systemRouter } from "./procedures/system.ts";
import { tracesRouter } from "./procedures/traces.ts";
import { router } from "./procedures/trpc.ts";

export const appRouter = router({
  containers: containersRouter,
  artifacts: artifactsRouter,
  exec: execRouter,
  sessions: sessionsRouter,
  hosts: hostsRouter,
  operations: operationsRouter,
  events: eventsRouter,
  images: imagesRouter,
  traces: tracesRouter,
  system: systemRouter,
});

export type AppRouter = typeof appRouter;
