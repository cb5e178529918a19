CREATE TABLE `sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`session` text NOT NULL,
	`command_end` text
) STRICT;
--> statement-breakpoint
ALTER TABLE `exits` ADD `output_end` integer;