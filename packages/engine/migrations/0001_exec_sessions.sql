CREATE TABLE `exec_sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`session` text NOT NULL,
	`processes` text NOT NULL
) STRICT;
