/**
 * Listens to `offline` and `online` of a page or worker, and to `visibilitychange` of a page: after sleep, or while it
 * was hidden, its timers may have been late. Does nothing in a runtime without these events, for example Node.js.
 * @returns a function that removes the listeners
 */
export const watchNetwork = ({ onOffline, onWake }) => {
    const { document } = globalThis;
    const onVisibility = () => {
        if (document.visibilityState === 'visible')
            onWake();
    };
    const listeners = [
        [globalThis, 'offline', onOffline],
        [globalThis, 'online', onWake],
        [document, 'visibilitychange', onVisibility],
    ];
    for (const [target, type, listener] of listeners)
        target?.addEventListener?.(type, listener);
    return () => {
        for (const [target, type, listener] of listeners)
            target?.removeEventListener?.(type, listener);
    };
};
//# sourceMappingURL=network-events.js.map