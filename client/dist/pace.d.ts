/** How fast frames may go: as many a second as the server takes, so that it need never stop reading. */
export declare class Pace {
    #private;
    constructor(perSecond: number);
    /** Milliseconds until the next frame may go. */
    get wait(): number;
    /** A frame went. */
    spend(): void;
}
