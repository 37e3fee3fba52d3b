/**
 * Passes events to listeners at once, and to iterators at the pace of their consumers. Reports the cursor of an event
 * once the event is processed: each listener was called, and each iterator was asked for its next event or has ended.
 */
export class EventStream {
    #listeners = new Map();
    #iterators = new Set();
    /** Cursors that are not reported yet, each with the number of iterators that have not processed its event. */
    #pending = [];
    #onCursor;
    #isEnded = false;
    /** @param onCursor receives each cursor whose event, and all events before it, are processed. May skip some. */
    constructor(onCursor) {
        this.#onCursor = onCursor;
    }
    /** @returns a function that removes the listener */
    on(type, listener) {
        const listeners = this.#listeners.get(type) ?? new Set();
        this.#listeners.set(type, listeners.add(listener));
        return () => {
            listeners.delete(listener);
        };
    }
    /** @param cursor of the event, if it has one. */
    emit(event, cursor) {
        if (this.#isEnded)
            return;
        const pending = cursor === undefined ? undefined : { cursor, count: this.#iterators.size };
        if (pending)
            this.#pending.push(pending);
        const onProcessed = () => {
            if (!pending)
                return;
            pending.count -= 1;
            this.#reportCursor();
        };
        for (const push of this.#iterators)
            push({ event, onProcessed });
        for (const listener of this.#listeners.get(event.type) ?? []) {
            try {
                listener(event);
            }
            catch (error) {
                // The other listeners must get this event, and all listeners the next one.
                reportError(error);
            }
        }
        this.#reportCursor();
    }
    /**
     * @returns the events from now on, in a queue of their own, until `end()`. When the consumer returns early, the rest
     *   of its queue counts as processed.
     */
    iterate() {
        const queue = [];
        let current;
        let wake = () => { };
        const push = (item) => {
            if (item)
                queue.push(item);
            wake();
        };
        const isOpen = () => this.#iterators.has(push);
        if (!this.#isEnded)
            this.#iterators.add(push);
        return {
            next: async () => {
                current?.onProcessed();
                current = undefined;
                while (queue.length === 0 && isOpen()) {
                    await new Promise((resolve) => {
                        wake = resolve;
                    });
                }
                current = queue.shift();
                return current ? { value: current.event, done: false } : { value: undefined, done: true };
            },
            return: async () => {
                this.#iterators.delete(push);
                current?.onProcessed();
                current = undefined;
                for (const item of queue.splice(0))
                    item.onProcessed();
                wake();
                return { value: undefined, done: true };
            },
            [Symbol.asyncIterator]() {
                return this;
            },
        };
    }
    /** Removes all listeners. Each iterator ends after the events in its queue. */
    end() {
        this.#isEnded = true;
        const iterators = [...this.#iterators];
        this.#iterators.clear();
        for (const push of iterators)
            push();
        this.#listeners.clear();
    }
    #reportCursor() {
        let cursor;
        while (this.#pending[0]?.count === 0)
            cursor = this.#pending.shift()?.cursor;
        if (cursor !== undefined)
            this.#onCursor(cursor);
    }
}
/** Throws in a turn of its own, so that the runtime reports an uncaught error. */
const reportError = (error) => {
    queueMicrotask(() => {
        throw error;
    });
};
//# sourceMappingURL=event-stream.js.map