export type NetworkListener = {
    /** The device has lost its network. */
    onOffline: () => void;
    /** The device has a network again, or the page is visible again: an open connection may be dead without notice. */
    onWake: () => void;
};
/**
 * Listens to `offline` and `online` of a page or worker, and to `visibilitychange` of a page: after sleep, or while it
 * was hidden, its timers may have been late. Does nothing in a runtime without these events, for example Node.js.
 * @returns a function that removes the listeners
 */
export declare const watchNetwork: ({ onOffline, onWake }: NetworkListener) => (() => void);
