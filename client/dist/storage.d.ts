import type { OutboxEntry } from './types.ts';
/** Whose things are kept: the server's address and the user. A storage keeps those of one. */
export type Owner = string;
export type Kept = {
    owner: Owner | undefined;
    cursor: string | undefined;
    outbox: OutboxEntry[];
};
/**
 * Keeps what must outlive a page or a process: where the stream goes on, and what was not sent yet. Calls come in the
 * order in which their effects must be seen; each is done when its promise is. `load` is called once, before all others.
 */
export type MessengerStorage = {
    /** @returns what was kept, the outbox in the order in which it was put */
    load(): Kept | Promise<Kept>;
    setOwner(owner: Owner): void | Promise<void>;
    setCursor(cursor: string): void | Promise<void>;
    /** An entry with a `client_id` that is there already changes nothing. */
    put(entry: OutboxEntry): void | Promise<void>;
    remove(client_id: string): void | Promise<void>;
    /** Nothing of it may be in use after. */
    close?(): void | Promise<void>;
};
/** @returns a storage that forgets when the page or the process ends. */
export declare const memoryStorage: () => MessengerStorage;
/** What `localStorage` and `sessionStorage` are. */
export type WebStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>;
/**
 * @param area `localStorage`, or `sessionStorage` where each tab is to go on from its own place.
 * @param prefix what its keys begin with.
 * @returns a storage that outlives the page
 */
export declare const webStorage: (area: WebStorage, prefix?: string) => MessengerStorage;
