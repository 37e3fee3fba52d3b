/** Limits frames to the rate that the server accepts. Above that rate the server stops reading from the socket. */
export class TokenBucket {
    #perSecond;
    #tokens;
    #filledAt = performance.now();
    /** @param perSecond frames per second, and the number of frames that may be sent at once. */
    constructor(perSecond) {
        this.#perSecond = perSecond;
        this.#tokens = perSecond;
    }
    /** Milliseconds until the next frame may be sent; 0 if it may be sent now. */
    get wait() {
        const now = performance.now();
        const gained = ((now - this.#filledAt) * this.#perSecond) / 1000;
        this.#tokens = Math.min(this.#perSecond, this.#tokens + gained);
        this.#filledAt = now;
        return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) * 1000) / this.#perSecond);
    }
    /** Takes the token of one frame. */
    spend() {
        this.#tokens -= 1;
    }
}
//# sourceMappingURL=token-bucket.js.map