import type { MessengerError } from './error.js';
import type { FrameOf, Message, OutboxEntry, Profile, Session } from './types.js';
/**
 * - `idle`: `connect()` was not called yet
 * - `connecting`: logs in and opens the socket
 * - `catching_up`: receives the events that it missed
 * - `online`: receives events as they happen
 * - `waiting`: waits for the next attempt, after a connection was lost or could not be opened
 * - `stopped`: makes no further attempt, because a retry cannot succeed; `connect()` starts again
 * - `closed`: `close()` was called
 */
export type State = 'idle' | 'connecting' | 'catching_up' | 'online' | 'waiting' | 'stopped' | 'closed';
/** The events of a client, by `type`. */
export type Events = {
    /** A new message of the user's conversations, also from this device. Comes exactly once, in the order of ids. */
    message: FrameOf<'message'>;
    /** The current state of an edited or deleted message. Replace the message with the same id. */
    message_updated: FrameOf<'message_updated'>;
    receipt: FrameOf<'receipt'>;
    conversation: FrameOf<'conversation'>;
    typing: FrameOf<'typing'>;
    presence: FrameOf<'presence'>;
    /** `messenger.profiles` has learned the profile of a user, or that it changed. */
    profile: {
        type: 'profile';
        username: string;
        profile: Profile;
    };
    /** All missed events have come. */
    caught_up: FrameOf<'caught_up'>;
    /** The server does not know the cursor. The stream continues from now: load all conversations again. */
    reset: {
        type: 'reset';
        cursor: string;
    };
    /** `error` says why the last attempt failed (`waiting`), or why there is no further attempt (`stopped`). */
    state: {
        type: 'state';
        state: State;
        error?: MessengerError;
        retry_in_ms?: number;
    };
    /** `messenger.outbox` changed. */
    outbox: {
        type: 'outbox';
    };
    /** The server stored a message of the outbox. The event `message` carries it too, earlier or later. */
    sent: {
        type: 'sent';
        client_id: string;
        message: Message;
    };
    /** A message was refused for good, and left the outbox. */
    send_failed: {
        type: 'send_failed';
        entry: OutboxEntry;
        error: MessengerError;
    };
    /**
     * The storage failed to save a change. After a restart, events or sends may repeat. An unsaved message is not sent.
     */
    storage_failed: {
        type: 'storage_failed';
        error: MessengerError;
    };
    /** The client has a new token. Save this session if your app saves sessions. */
    session: {
        type: 'session';
        session: Session;
    };
};
export type EventType = keyof Events;
export type MessengerEvent = Events[EventType];
