import type { MessengerError } from './error.ts';
import type { FrameOf, Message, OutboxEntry, Session } from './types.ts';
/**
 * `connecting`, then `catching_up` on what was missed, then `online`; `waiting` for the next attempt after a loss;
 * `stopped` where no attempt would help; `closed` after `close()`.
 */
export type State = 'idle' | 'connecting' | 'catching_up' | 'online' | 'waiting' | 'stopped' | 'closed';
/** What a client tells, by `type`. */
export type Events = {
    /** A new message, from others and from every device of mine, this one included: once, in the order of ids. */
    message: FrameOf<'message'>;
    /** An edited or deleted message as it is now: replace it by its id. */
    message_updated: FrameOf<'message_updated'>;
    receipt: FrameOf<'receipt'>;
    conversation: FrameOf<'conversation'>;
    typing: FrameOf<'typing'>;
    presence: FrameOf<'presence'>;
    /** All that was missed has come. */
    caught_up: FrameOf<'caught_up'>;
    /** The server does not know where the stream went on: load conversations anew. It goes on from now. */
    reset: {
        type: 'reset';
        cursor: string;
    };
    /** With `waiting`, `error` is why the last attempt failed; with `stopped`, why there will be no other. */
    state: {
        type: 'state';
        state: State;
        error?: MessengerError;
        retry_in_ms?: number;
    };
    /** The outbox changed; `messenger.outbox` is what is in it. */
    outbox: {
        type: 'outbox';
    };
    /** A message of the outbox is stored. It also comes as `message`, before or after, in its place. */
    sent: {
        type: 'sent';
        client_id: string;
        message: Message;
    };
    /** The server will not take a message; it left the outbox. */
    send_failed: {
        type: 'send_failed';
        entry: OutboxEntry;
        error: MessengerError;
    };
    /** What the storage could not keep may be told, or sent, again after a restart; a message that it could not keep is refused. */
    storage_failed: {
        type: 'storage_failed';
        error: MessengerError;
    };
    /** A new token: an app that keeps the session keeps this one. */
    session: {
        type: 'session';
        session: Session;
    };
};
export type EventType = keyof Events;
export type MessengerEvent = Events[EventType];
/**
 * Hands events to listeners, at once, and to iterators, which take them in their own time. A cursor counts as seen when
 * the event that has it was handed to all: by an iterator when the next one is asked for.
 */
export declare class Feed {
    #private;
    /** @param seen told each cursor when it may be kept, in order. */
    constructor(seen: (cursor: string) => void);
    /** @returns what takes the listener away. */
    on<T extends EventType>(type: T, listener: (event: Events[T]) => void): () => void;
    emit(event: MessengerEvent, cursor?: string): void;
    /** @returns all events from now on. One `for await` may stop: the events that it did not take count as seen. */
    iterate(): AsyncIterableIterator<MessengerEvent>;
    /** Ends all iterators, when they have taken what is there. */
    end(): void;
}
