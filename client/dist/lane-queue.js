/**
 * Entries that wait to be sent or wait for their reply. Entries with a common key share a lane. Only the first entry
 * of a lane is sent; the next one follows after its reply. Two at a time would be faster, but the server may refuse
 * the first for now and accept the second, which would reverse their order. Lanes do not wait for each other.
 */
export class LaneQueue {
    #entries = new Map();
    #lanes = new Map();
    /** The entries that may be sent now, each the first of its lane, in the order in which they were added. */
    #sendable = [];
    #count = 0;
    /** All entries, in the order in which they were added. */
    get values() {
        return [...this.#entries.values()].map(({ value }) => value);
    }
    has(id) {
        return this.#entries.has(id);
    }
    /**
     * Adds an entry. It is not sent before `markReady(id)`.
     * @param keys of its lane. Without keys the entry has a lane of its own.
     * @returns the result of the entry. If the queue has an entry with this `id` already, the result of that entry
     */
    add(id, value, keys) {
        const known = this.#entries.get(id);
        if (known)
            return known.result;
        const lane = this.#laneOf(keys);
        let settle = {};
        const result = new Promise((resolve, reject) => {
            settle = { resolve, reject };
        });
        this.#count += 1;
        const entry = {
            value,
            order: this.#count,
            keys,
            lane,
            state: 'pending',
            result,
            ...settle,
        };
        this.#entries.set(id, entry);
        lane.push(entry);
        return result;
    }
    /** Allows a pending entry to be sent. */
    markReady(id) {
        this.#makeReady(id, 'pending');
    }
    /** @returns the next value to send, or `undefined`. Its state becomes `sent`. */
    take() {
        const entry = this.#sendable.shift();
        if (!entry)
            return undefined;
        entry.state = 'sent';
        return entry.value;
    }
    /** Queues a sent entry again, before all entries that were added later. */
    requeue(id) {
        this.#makeReady(id, 'sent');
    }
    requeueAll() {
        for (const id of this.#entries.keys())
            this.requeue(id);
    }
    /** Removes an entry and resolves its promise. Ignores an unknown id. */
    resolve(id, result) {
        this.#remove(id)?.resolve(result);
    }
    /** Removes an entry and rejects its promise. Ignores an unknown id. @returns the value of the entry */
    reject(id, error) {
        const entry = this.#remove(id);
        entry?.reject(error);
        return entry?.value;
    }
    /** Rejects the promises of all entries, and keeps the entries. */
    rejectAll(error) {
        for (const { reject } of this.#entries.values())
            reject(error);
    }
    #makeReady(id, from) {
        const entry = this.#entries.get(id);
        if (entry?.state !== from)
            return;
        entry.state = 'ready';
        if (entry.lane[0] === entry)
            this.#offer(entry);
    }
    /** Makes a ready entry sendable. It is the first of its lane. */
    #offer(entry) {
        const before = this.#sendable.findLastIndex(({ order }) => order < entry.order);
        this.#sendable.splice(before + 1, 0, entry);
    }
    #remove(id) {
        const entry = this.#entries.get(id);
        // A reply to an entry that is queued again counts as lost: the next attempt gets a reply of its own.
        if (!entry || entry.state === 'ready')
            return undefined;
        this.#entries.delete(id);
        const { keys, lane } = entry;
        const index = lane.indexOf(entry);
        lane.splice(index, 1);
        const [next] = lane;
        if (!next)
            for (const key of keys)
                this.#lanes.delete(key);
        else if (index === 0 && next.state === 'ready')
            this.#offer(next);
        return entry;
    }
    #laneOf(keys) {
        // Before the keys of two entries were known to belong together, each key may have got its own lane.
        const lane = keys.map((key) => this.#lanes.get(key)).find((known) => known?.length) ?? [];
        for (const key of keys)
            this.#lanes.set(key, lane);
        return lane;
    }
}
//# sourceMappingURL=lane-queue.js.map