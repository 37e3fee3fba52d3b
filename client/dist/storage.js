/** @returns a storage in memory: its content is lost when the page or process ends */
export const memoryStorage = () => {
    const outbox = new Map();
    let cursor;
    let owner;
    return {
        load: () => ({ owner, cursor, outbox: [...outbox.values()] }),
        setOwner(value) {
            owner = value;
        },
        setCursor(value) {
            cursor = value;
        },
        put(entry) {
            if (!outbox.has(entry.client_id))
                outbox.set(entry.client_id, entry);
        },
        remove(client_id) {
            outbox.delete(client_id);
        },
    };
};
/**
 * @param area `localStorage`, or `sessionStorage` for a cursor and an outbox per tab.
 * @param prefix of the keys in `area`.
 * @returns a storage that outlives the page
 */
export const webStorage = (area, prefix = 'messenger') => {
    const entries = `${prefix}:outbox:`;
    const keys = () => Array.from({ length: area.length }, (_, index) => area.key(index));
    // Tabs with the same area may use the same number. Only the order within a tab matters.
    let last = 0;
    const keyOf = new Map();
    return {
        load() {
            const outbox = keys()
                .filter((key) => key.startsWith(entries))
                .toSorted()
                .map((key) => {
                const entry = JSON.parse(area.getItem(key));
                keyOf.set(entry.client_id, key);
                // New entries must sort after the loaded ones, also if the clock went back.
                last = Number(key.slice(entries.length, entries.length + 16));
                return entry;
            });
            return {
                owner: area.getItem(`${prefix}:owner`) ?? undefined,
                cursor: area.getItem(`${prefix}:cursor`) ?? undefined,
                outbox,
            };
        },
        setOwner: (owner) => area.setItem(`${prefix}:owner`, owner),
        setCursor: (cursor) => area.setItem(`${prefix}:cursor`, cursor),
        put(entry) {
            if (keyOf.has(entry.client_id))
                return;
            last = Math.max(last + 1, Date.now());
            const key = `${entries}${String(last).padStart(16, '0')}:${entry.client_id}`;
            keyOf.set(entry.client_id, key);
            area.setItem(key, JSON.stringify(entry));
        },
        remove(client_id) {
            const key = keyOf.get(client_id);
            if (key === undefined)
                return;
            area.removeItem(key);
            keyOf.delete(client_id);
        },
    };
};
//# sourceMappingURL=storage.js.map