/**
 * Creates a UUIDv7 (RFC 9562). The ids rise within this process, also when the clock goes back, so that the server
 * appends to its index of client ids.
 * @param now milliseconds since 1970
 */
export declare const newClientId: (now?: number) => string;
