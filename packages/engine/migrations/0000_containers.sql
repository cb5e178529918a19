CREATE TABLE `containers` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL UNIQUE,
	`spec` text NOT NULL,
	`snapshot` text NOT NULL,
	`processes` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `events` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`event` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `exits` (
	`container_id` text NOT NULL,
	`run` integer NOT NULL,
	`exit_code` integer,
	PRIMARY KEY(`container_id`, `run`)
) STRICT;
--> statement-breakpoint
CREATE TABLE `meta` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `operations` (
	`id` text PRIMARY KEY NOT NULL,
	`status` text NOT NULL,
	`action` text,
	`action_hash` text,
	`outcome` text,
	`started_at_ms` integer NOT NULL,
	`finished_at_ms` integer
) STRICT;
--> statement-breakpoint
CREATE INDEX `operations_by_end` ON `operations` (`finished_at_ms`);--> statement-breakpoint
CREATE TABLE `removed_containers` (
	`id` text PRIMARY KEY NOT NULL,
	`snapshot` text NOT NULL,
	`removed_at_ms` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE INDEX `removed_containers_by_time` ON `removed_containers` (`removed_at_ms`);