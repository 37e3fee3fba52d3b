import type { MessengerError } from './error.js';
/**
 * Entries that wait to be sent or wait for their reply. Entries with a common key share a lane. Only the first entry
 * of a lane is sent; the next one follows after its reply. Two at a time would be faster, but the server may refuse
 * the first for now and accept the second, which would reverse their order. Lanes do not wait for each other.
 */
export declare class LaneQueue<Value, Result> {
    #private;
    /** All entries, in the order in which they were added. */
    get values(): Value[];
    has(id: string): boolean;
    /**
     * Adds an entry. It is not sent before `markReady(id)`.
     * @param keys of its lane. Without keys the entry has a lane of its own.
     * @returns the result of the entry. If the queue has an entry with this `id` already, the result of that entry
     */
    add(id: string, value: Value, keys: readonly string[]): Promise<Result>;
    /** Allows a pending entry to be sent. */
    markReady(id: string): void;
    /** @returns the next value to send, or `undefined`. Its state becomes `sent`. */
    take(): Value | undefined;
    /** Queues a sent entry again, before all entries that were added later. */
    requeue(id: string): void;
    requeueAll(): void;
    /** Removes an entry and resolves its promise. Ignores an unknown id. */
    resolve(id: string, result: Result): void;
    /** Removes an entry and rejects its promise. Ignores an unknown id. @returns the value of the entry */
    reject(id: string, error: MessengerError): Value | undefined;
    /** Rejects the promises of all entries, and keeps the entries. */
    rejectAll(error: MessengerError): void;
}
