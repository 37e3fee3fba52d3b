import { MessengerError } from './error.js';
import type { MessengerStorage, Owner, StoredState } from './storage.js';
import type { OutboxEntry } from './types.js';
/** Saves changes in a storage: one call per change, without waiting for the one before. */
export declare class StorageWriter {
    #private;
    /** @param onError receives an error `STORAGE` for each change that is not saved. */
    constructor(storage: MessengerStorage, onError: (error: MessengerError) => void);
    load(): Promise<StoredState>;
    /**
     * Makes `owner` the owner of a new storage.
     * @throws MessengerError `STORAGE_IN_USE` if the storage belongs to another owner: the messages in its outbox are
     *   from another user, or for another server
     */
    claim(owner: Owner): void;
    setCursor(cursor: string): void;
    /** @param onDone is called once the entry is saved, or with the reason why it is not. */
    put(entry: OutboxEntry, onDone: (error?: MessengerError) => void): void;
    remove(client_id: string): void;
    /** Waits for all changes, then closes the storage. */
    close(): Promise<void>;
}
