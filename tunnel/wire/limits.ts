/** Length u24, type u8, flags u8, stream id u32: HTTP/2's layout (RFC 9113 §4.1). */
export const FRAME_HEADER_BYTES = 9;
export const MAX_DATA_BYTES = 64 * 1024;
/** 64 KiB of headers must fit, with identity and path beside them. */
export const MAX_HEAD_BYTES = 80 * 1024;
export const MAX_CONTROL_BYTES = 4 * 1024;
/** The writer stops packing frames into a message here; one more frame may stand at its end. */
export const MESSAGE_TARGET_BYTES = 64 * 1024;
/** Longest WebSocket message either side accepts. Follows from the packing rule. */
export const MAX_MESSAGE_BYTES = MESSAGE_TARGET_BYTES + FRAME_HEADER_BYTES + MAX_HEAD_BYTES;
/** Stream ids are 31 bits, strictly increasing, never reused. */
export const MAX_STREAM_ID = 2 ** 31 - 1;
/** Largest credit of a stream (RFC 9113 §6.9.1 has the same bound). */
export const MAX_WINDOW_BYTES = 2 ** 31 - 1;
/** Credit of a new stream, both ways, before any WINDOW: what every admitted stream reserves. */
export const INITIAL_WINDOW_BYTES = 16 * 1024;
/** Most header lines of a head; more is refused with 431 before it gets here. */
export const MAX_HEADER_LINES = 200;
