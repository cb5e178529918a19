CREATE TABLE "claims" (
	"operation_id" uuid NOT NULL,
	"host_id" text NOT NULL,
	"name" text,
	"cpu_millis" integer DEFAULT 0 NOT NULL,
	"memory_bytes" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "claims_name_unique" UNIQUE("name")
);
--> statement-breakpoint
ALTER TABLE "claims" ADD CONSTRAINT "claims_operation_id_operations_id_fk" FOREIGN KEY ("operation_id") REFERENCES "public"."operations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "claims" ADD CONSTRAINT "claims_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "claims_operation" ON "claims" USING btree ("operation_id");--> statement-breakpoint
CREATE INDEX "claims_host" ON "claims" USING btree ("host_id");