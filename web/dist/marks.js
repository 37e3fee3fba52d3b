/** Milliseconds in which marks are gathered into one. */
const GATHER_MS = 200;
/** Tells the server what this device has and what I have read: a few at a time; without a connection they wait. */
export class Marks {
    #messenger;
    #store;
    #moved = new Map();
    #timer;
    constructor(messenger, store) {
        this.#messenger = messenger;
        this.#store = store;
    }
    move(conversation_id, moved) {
        this.#moved.set(conversation_id, { ...this.#moved.get(conversation_id), ...moved });
        this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
    }
    flush() {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        if (!this.#store.isConnected)
            return;
        for (const [id, moved] of this.#moved) {
            // In a group that I left meanwhile there is nothing to mark.
            this.#messenger.mark(id, moved).catch(() => { });
        }
        this.#moved.clear();
    }
}
