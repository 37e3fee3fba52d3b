import type { Events, EventType, MessengerEvent } from './events.js';
/**
 * Passes events to listeners at once, and to iterators at the pace of their consumers. Reports the cursor of an event
 * once the event is processed: each listener was called, and each iterator was asked for its next event or has ended.
 */
export declare class EventStream {
    #private;
    /** @param onCursor receives each cursor whose event, and all events before it, are processed. May skip some. */
    constructor(onCursor: (cursor: string) => void);
    /** @returns a function that removes the listener */
    on<T extends EventType>(type: T, listener: (event: Events[T]) => void): () => void;
    /** @param cursor of the event, if it has one. */
    emit(event: MessengerEvent, cursor?: string): void;
    /**
     * @returns the events from now on, in a queue of their own, until `end()`. When the consumer returns early, the rest
     *   of its queue counts as processed.
     */
    iterate(): AsyncIterableIterator<MessengerEvent>;
    /** Removes all listeners. Each iterator ends after the events in its queue. */
    end(): void;
}
