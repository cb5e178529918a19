CREATE TABLE `journals` (
	`id` text PRIMARY KEY NOT NULL,
	`kept_from` integer NOT NULL
) STRICT;
