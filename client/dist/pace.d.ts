/** How fast frames may go: as many a second as the server takes, so that it need never stop reading. */
export declare class Pace {
    #private;
    constructor(perSecond: number, now?: number);
    /** @returns milliseconds until the next frame may go; 0 where it may now, and then it counts as gone. */
    take(now?: number): number;
}
