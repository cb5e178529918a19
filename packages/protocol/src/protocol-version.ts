/**
 * The version of every subject and message. Raise it when a message changes so that an older reader would misread it.
 *
 * 1  containers' life cycle, images, events, journal reads
 */
export const protocolVersion = 1;
