CREATE TABLE "created_execs" (
	"id" text PRIMARY KEY NOT NULL,
	"container_id" text NOT NULL,
	"spec" jsonb NOT NULL,
	"started_by" uuid,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "created_execs_created_at" ON "created_execs" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "operations_exec" ON "operations" USING btree ((request->>'execId')) WHERE verb = 'exec.start';