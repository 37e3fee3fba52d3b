/** How fast frames may go: as many a second as the server takes, so that it need never stop reading. */
export class Pace {
    #perSecond;
    #left;
    #filled;
    constructor(perSecond, now = performance.now()) {
        this.#perSecond = perSecond;
        this.#left = perSecond;
        this.#filled = now;
    }
    /** @returns milliseconds until the next frame may go; 0 where it may now, and then it counts as gone. */
    take(now = performance.now()) {
        const gained = ((now - this.#filled) * this.#perSecond) / 1000;
        this.#left = Math.min(this.#perSecond, this.#left + gained);
        this.#filled = now;
        if (this.#left < 1)
            return Math.ceil(((1 - this.#left) * 1000) / this.#perSecond);
        this.#left -= 1;
        return 0;
    }
}
