import type { OutboxEntry } from './types.js';
/** The address of a server and the id of a user, as one string. A storage belongs to one owner. */
export type Owner = string;
/** All that a storage has saved. */
export type StoredState = {
    owner: Owner | undefined;
    cursor: string | undefined;
    outbox: OutboxEntry[];
};
/**
 * Saves the cursor of the stream and the messages that are not sent yet, so that they outlive the page or process.
 *
 * Each method may return a promise. The change is saved when the method returns, or when its promise resolves. A
 * method that throws or rejects reports that the change is not saved. The client does not wait for one call before it
 * makes the next: apply the changes in the order of the calls.
 */
export type MessengerStorage = {
    /**
     * Called once, before all other methods.
     * @returns the saved state; the entries of the outbox in the order in which they were put
     */
    load(): StoredState | Promise<StoredState>;
    setOwner(owner: Owner): void | Promise<void>;
    setCursor(cursor: string): void | Promise<void>;
    /** Adds an entry at the end. Does nothing if there is an entry with the same `client_id`. */
    put(entry: OutboxEntry): void | Promise<void>;
    /** Removes an entry. Does nothing if no entry has this `client_id`. */
    remove(client_id: string): void | Promise<void>;
    /** Releases all resources. Called once, after all other calls have ended. */
    close?(): void | Promise<void>;
};
/** @returns a storage in memory: its content is lost when the page or process ends */
export declare const memoryStorage: () => MessengerStorage;
/** The interface of `localStorage` and `sessionStorage`. */
export type WebStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>;
/**
 * @param area `localStorage`, or `sessionStorage` for a cursor and an outbox per tab.
 * @param prefix of the keys in `area`.
 * @returns a storage that outlives the page
 */
export declare const webStorage: (area: WebStorage, prefix?: string) => MessengerStorage;
