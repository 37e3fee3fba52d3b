/**
 * Hands events to listeners, at once, and to iterators, which take them in their own time. A cursor counts as seen when
 * the event that has it was handed to all: by an iterator when the next one is asked for.
 */
export class Feed {
    #listeners = new Map();
    #iterators = new Set();
    #unseen = [];
    #seen;
    #isEnded = false;
    /** @param seen told each cursor when it may be kept, in order. */
    constructor(seen) {
        this.#seen = seen;
    }
    /** @returns what takes the listener away. */
    on(type, listener) {
        const listeners = this.#listeners.get(type) ?? new Set();
        this.#listeners.set(type, listeners.add(listener));
        return () => {
            listeners.delete(listener);
        };
    }
    emit(event, cursor) {
        if (this.#isEnded)
            return;
        const place = cursor === undefined ? undefined : { cursor, waiting: this.#iterators.size };
        if (place)
            this.#unseen.push(place);
        const handed = () => {
            if (!place)
                return;
            place.waiting -= 1;
            this.#settle();
        };
        for (const push of this.#iterators)
            push({ event, handed });
        // A listener that throws must not keep the event from the others, nor the next event from all.
        for (const listener of this.#listeners.get(event.type) ?? []) {
            try {
                listener(event);
            }
            catch (error) {
                reportError(error);
            }
        }
        this.#settle();
    }
    /** @returns all events from now on. One `for await` may stop: the events that it did not take count as seen. */
    iterate() {
        const queue = [];
        let taken;
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
                taken?.handed();
                taken = undefined;
                while (queue.length === 0 && isOpen()) {
                    await new Promise((resolve) => {
                        wake = resolve;
                    });
                }
                taken = queue.shift();
                return taken ? { value: taken.event, done: false } : { value: undefined, done: true };
            },
            return: async () => {
                this.#iterators.delete(push);
                taken?.handed();
                taken = undefined;
                for (const item of queue.splice(0))
                    item.handed();
                wake();
                return { value: undefined, done: true };
            },
            [Symbol.asyncIterator]() {
                return this;
            },
        };
    }
    /** Ends all iterators, when they have taken what is there. */
    end() {
        this.#isEnded = true;
        const iterators = [...this.#iterators];
        this.#iterators.clear();
        for (const push of iterators)
            push();
        this.#listeners.clear();
    }
    #settle() {
        let cursor;
        while (this.#unseen[0]?.waiting === 0)
            cursor = this.#unseen.shift()?.cursor;
        if (cursor !== undefined)
            this.#seen(cursor);
    }
}
/** As an uncaught error of its own turn, for whoever watches those. */
const reportError = (error) => {
    queueMicrotask(() => {
        throw error;
    });
};
