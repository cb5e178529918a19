CREATE TABLE "api_tokens" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"sha256" "bytea" NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "containers" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"host_id" text NOT NULL,
	"spec" jsonb NOT NULL,
	"image" text GENERATED ALWAYS AS (spec->>'image') STORED NOT NULL,
	"command" jsonb GENERATED ALWAYS AS (coalesce(spec->'entrypoint', '[]'::jsonb) || coalesce(spec->'command', '[]'::jsonb)) STORED NOT NULL,
	"labels" jsonb GENERATED ALWAYS AS (spec->'labels') STORED NOT NULL,
	"cpu_millis" integer NOT NULL,
	"memory_bytes" bigint NOT NULL,
	"state" text DEFAULT 'unknown' NOT NULL,
	"revision" integer DEFAULT 0 NOT NULL,
	"snapshot" jsonb,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"removed_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "events" (
	"position" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "events_position_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"host_id" text NOT NULL,
	"seq" bigint NOT NULL,
	"type" text NOT NULL,
	"time" timestamp (3) with time zone NOT NULL,
	"container_id" text,
	"container_name" text,
	"operation_id" uuid,
	"attributes" jsonb NOT NULL,
	CONSTRAINT "events_host_seq_unique" UNIQUE("host_id","seq")
);
--> statement-breakpoint
CREATE TABLE "host_images" (
	"host_id" text NOT NULL,
	"image_id" text NOT NULL,
	"names" text[] NOT NULL,
	"size_bytes" bigint NOT NULL,
	"layers" integer NOT NULL,
	"created_at" timestamp (3) with time zone,
	CONSTRAINT "host_images_host_id_image_id_pk" PRIMARY KEY("host_id","image_id")
);
--> statement-breakpoint
CREATE TABLE "hosts" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"labels" jsonb NOT NULL,
	"cpu_millis" integer NOT NULL,
	"memory_bytes" bigint NOT NULL,
	"facts" jsonb NOT NULL,
	"sessions" integer DEFAULT 1 NOT NULL,
	"committed_seq" bigint,
	"last_seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "hosts_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "operation_hosts" (
	"operation_id" uuid NOT NULL,
	"host_id" text NOT NULL,
	"outcome" jsonb,
	CONSTRAINT "operation_hosts_operation_id_host_id_pk" PRIMARY KEY("operation_id","host_id")
);
--> statement-breakpoint
CREATE TABLE "operations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"verb" text NOT NULL,
	"request" jsonb NOT NULL,
	"status" text NOT NULL,
	"container_id" text,
	"container_name" text,
	"host_id" text,
	"caller" text NOT NULL,
	"trace_id" text,
	"outcome" jsonb,
	"attempts" integer DEFAULT 1 NOT NULL,
	"driven_until" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "spans" (
	"number" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "spans_number_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"trace_id" text NOT NULL,
	"span_id" text NOT NULL,
	"record" jsonb NOT NULL,
	"received_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "spans_trace_span_unique" UNIQUE("trace_id","span_id")
);
--> statement-breakpoint
ALTER TABLE "containers" ADD CONSTRAINT "containers_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "events" ADD CONSTRAINT "events_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "host_images" ADD CONSTRAINT "host_images_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "operation_hosts" ADD CONSTRAINT "operation_hosts_operation_id_operations_id_fk" FOREIGN KEY ("operation_id") REFERENCES "public"."operations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "operation_hosts" ADD CONSTRAINT "operation_hosts_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "operations" ADD CONSTRAINT "operations_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "containers_name_unique" ON "containers" USING btree ("name") WHERE "containers"."removed_at" is null;--> statement-breakpoint
CREATE INDEX "containers_id_prefix" ON "containers" USING btree ("id" text_pattern_ops);--> statement-breakpoint
CREATE INDEX "containers_host" ON "containers" USING btree ("host_id");--> statement-breakpoint
CREATE INDEX "containers_removed_at" ON "containers" USING btree ("removed_at");--> statement-breakpoint
CREATE INDEX "events_container" ON "events" USING btree ("container_id","position");--> statement-breakpoint
CREATE INDEX "events_time" ON "events" USING btree ("time");--> statement-breakpoint
CREATE INDEX "operations_created_at" ON "operations" USING btree ("created_at" DESC NULLS LAST,"id" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "operations_container" ON "operations" USING btree ("container_id");--> statement-breakpoint
CREATE INDEX "operations_unfinished" ON "operations" USING btree ("driven_until") WHERE "operations"."finished_at" is null;--> statement-breakpoint
CREATE INDEX "spans_received_at" ON "spans" USING brin ("received_at");