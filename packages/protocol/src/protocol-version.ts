/**
 * The version of every subject and message. Raise it when a message changes so that an older reader would misread it.
 *
 * 1  containers' life cycle, images, events, journal reads, exec sessions, files, sessions and their frames
 */
export const protocolVersion = 1;
