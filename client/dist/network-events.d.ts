export type NetworkListener = {
    /** The runtime says that the device has no network. */
    offline: () => void;
    /** The device has a network again, or its page is shown again: what was believed of the connection may be old. */
    awake: () => void;
};
/**
 * Listens to `offline` and `online` of a page or a worker, and to a page that becomes visible, as it does after sleep
 * and after its timers were held back. Runtimes without these events, as Node.js, tell nothing.
 * @returns what ends the listening
 */
export declare const watchNetwork: ({ offline, awake }: NetworkListener) => (() => void);
