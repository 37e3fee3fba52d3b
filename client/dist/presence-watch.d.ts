import type { ClientFrame, FrameOf } from './types.js';
/**
 * The list of users whose presence the client subscribes to. Sends it over each connection, until the server takes it.
 */
export declare class PresenceWatch {
    #private;
    /** @param send sends a frame. Drops it without a connection. */
    constructor(send: (frame: ClientFrame) => void);
    /** Replaces the list and sends it. */
    set(usernames: readonly string[]): void;
    /** Sends the list, if there is one. */
    send(): void;
    /** Sends the list again later, if the server refused it for now. */
    handleError({ id, retryable, retry_after }: FrameOf<'error'>): void;
    disconnected(): void;
}
