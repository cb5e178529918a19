CREATE TABLE `__new_containers` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`spec` text NOT NULL,
	`snapshot` text NOT NULL,
	`processes` text NOT NULL,
	`health_log` text
) STRICT;
--> statement-breakpoint
INSERT INTO `__new_containers` SELECT `id`, `name`, `spec`, `snapshot`, `processes`, `health_log` FROM `containers`;
--> statement-breakpoint
DROP TABLE `containers`;
--> statement-breakpoint
ALTER TABLE `__new_containers` RENAME TO `containers`;
--> statement-breakpoint
CREATE UNIQUE INDEX `containers_name_unique` ON `containers` (`name`);
