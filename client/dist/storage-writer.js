import { MessengerError } from "./error.js";
/** Saves changes in a storage: one call per change, without waiting for the one before. */
export class StorageWriter {
    #storage;
    #onError;
    #owner;
    #pending = Promise.resolve();
    /** @param onError receives an error `STORAGE` for each change that is not saved. */
    constructor(storage, onError) {
        this.#storage = storage;
        this.#onError = onError;
    }
    async load() {
        const state = await this.#storage.load();
        this.#owner = state.owner;
        return state;
    }
    /**
     * Makes `owner` the owner of a new storage.
     * @throws MessengerError `STORAGE_IN_USE` if the storage belongs to another owner: the messages in its outbox are
     *   from another user, or for another server
     */
    claim(owner) {
        if (this.#owner === undefined)
            this.#save(() => this.#storage.setOwner(owner));
        else if (this.#owner !== owner) {
            throw new MessengerError('STORAGE_IN_USE', `The storage belongs to ${this.#owner}. Pass another \`storage\` for ${owner}.`);
        }
        this.#owner = owner;
    }
    setCursor(cursor) {
        this.#save(() => this.#storage.setCursor(cursor));
    }
    /** @param onDone is called once the entry is saved, or with the reason why it is not. */
    put(entry, onDone) {
        this.#save(() => this.#storage.put(entry), onDone);
    }
    remove(client_id) {
        this.#save(() => this.#storage.remove(client_id));
    }
    /** Waits for all changes, then closes the storage. */
    async close() {
        await this.#pending;
        await this.#storage.close?.();
    }
    #save(change, onDone = () => { }) {
        const done = (async () => change())().then(() => onDone(), (cause) => {
            const error = new MessengerError('STORAGE', 'The storage failed to save a change. Check the storage; `cause` has its error.', { cause });
            this.#onError(error);
            onDone(error);
        });
        this.#pending = this.#pending.then(() => done);
    }
}
//# sourceMappingURL=storage-writer.js.map