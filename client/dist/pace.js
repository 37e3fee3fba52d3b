/** How fast frames may go: as many a second as the server takes, so that it need never stop reading. */
export class Pace {
    #perSecond;
    #left;
    #filled = performance.now();
    constructor(perSecond) {
        this.#perSecond = perSecond;
        this.#left = perSecond;
    }
    /** Milliseconds until the next frame may go. */
    get wait() {
        const now = performance.now();
        const gained = ((now - this.#filled) * this.#perSecond) / 1000;
        this.#left = Math.min(this.#perSecond, this.#left + gained);
        this.#filled = now;
        return this.#left >= 1 ? 0 : Math.ceil(((1 - this.#left) * 1000) / this.#perSecond);
    }
    /** A frame went. */
    spend() {
        this.#left -= 1;
    }
}
