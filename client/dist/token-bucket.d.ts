/** Limits frames to the rate that the server accepts. Above that rate the server stops reading from the socket. */
export declare class TokenBucket {
    #private;
    /** @param perSecond frames per second, and the number of frames that may be sent at once. */
    constructor(perSecond: number);
    /** Milliseconds until the next frame may be sent; 0 if it may be sent now. */
    get wait(): number;
    /** Takes the token of one frame. */
    spend(): void;
}
