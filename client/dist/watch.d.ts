import type { ClientFrame, FrameOf } from './types.ts';
/** Whose presence is to be told: the list goes with each connection, and again where it was refused for now. */
export declare class Watch {
    #private;
    /** @param send sends a frame, if there is a connection. */
    constructor(send: (frame: ClientFrame) => void);
    set(usernames: readonly string[]): void;
    /** Sends the list, if there is one. */
    ask(): void;
    refused({ id, retryable, retry_after }: FrameOf<'error'>): void;
    /** There is no connection any more. */
    lost(): void;
}
