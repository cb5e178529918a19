/** For archives of a container's files, which may be changing meanwhile. */
export const createArguments = [
  ...["--create", "--file", "-", "--format", "posix", "--numeric-owner", "--one-file-system"],
  ...["--xattrs", "--xattrs-include=*", "--pax-option=delete=atime,delete=ctime"],
] as const;

/** tar ends with 1 when a file has changed, or gone, while it was read. */
export const createExitCodes = [1] as const;

/** As they are in the archive; the attributes of the overlay file system itself are not for users. */
export const extractArguments = [
  ...["--extract", "--file", "-", "--numeric-owner", "--same-owner", "--preserve-permissions"],
  ...["--xattrs", "--xattrs-include=*", "--xattrs-exclude=trusted.*"],
] as const;
