import { artifactsRouter } from "./artifacts.ts";
import { containersRouter } from "./containers.ts";
import { eventsRouter } from "./events.ts";
import { execRouter } from "./exec.ts";
import { hostsRouter } from "./hosts.ts";
import { imagesRouter } from "./images.ts";
import { operationsRouter } from "./operations.ts";
import { sessionsRouter } from "./sessions.ts";
import { systemRouter } from "./system.ts";
import { tracesRouter } from "./traces.ts";
import { router } from "./trpc.ts";

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
