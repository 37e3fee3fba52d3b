import { type GetToken } from './app-tokens.js';
import type { Events, EventType, MessengerEvent, State } from './events.js';
import { type Api, type Credentials, type Fetch } from './http.js';
import { Profiles } from './profiles.js';
import type { WebSocketConstructor } from './socket.js';
import { type MessengerStorage } from './storage.js';
import type { Hello, Message, OutboxEntry, Profile, ProfileChange, Receipt, SendRequest, Session } from './types.js';
export type MessengerOptions = Partial<Credentials> & {
    /**
     * The address of the server, for example `http://localhost:3000`. In a page the default is the origin of the page.
     */
    url?: string | undefined;
    /**
     * A session that `login()` returned. Without it, or when it has ended, the client logs in with `username` (and
     * `password`).
     */
    session?: Session | undefined;
    /**
     * In place of `session` and `username`: returns a token for the user of your app. The client calls it before it connects,
     * before a token ends, and when the server refuses one.
     */
    getToken?: GetToken | undefined;
    /** Saves the cursor and the outbox. Default: `memoryStorage()`. */
    storage?: MessengerStorage;
    /** Default: the `WebSocket` of the runtime. Node.js 20 and 21 have none: pass the one of the package `ws`. */
    WebSocket?: WebSocketConstructor;
    /** Default: the `fetch` of the runtime. */
    fetch?: Fetch;
    /**
     * Milliseconds between attempts: a random part of `min`, which doubles with each failure up to `max`. Default: 500
     * and 30,000.
     */
    backoff?: {
        min: number;
        max: number;
    };
    /** Milliseconds for opening a connection, a login, a renewal of the token, and `getToken()`. Default: 10,000. */
    timeout?: number;
};
export type ConnectOptions = {
    /**
     * The position at which the stream starts: the `cursor` of an HTTP reply. Default: the cursor in the storage. Ignored
     * while there is a connection. Of several calls before that, the last cursor counts.
     */
    cursor?: string | undefined;
};
/** A user's client: HTTP calls, and a connection that reconnects and resumes by itself. */
export declare class Messenger {
    #private;
    /** The HTTP calls, with the token of this client. Pass a call to `unwrap()`. */
    readonly api: Api;
    /** The profiles of users: display names and avatars. */
    readonly profiles: Profiles;
    /** @throws MessengerError `INVALID_OPTION` if `url` or `getToken` cannot be used */
    constructor(options?: MessengerOptions);
    get state(): State;
    /** The current session; `undefined` before the first login. */
    get session(): Session | undefined;
    /** The `hello` frame of the last connection: the user and the limits of the server. */
    get hello(): Hello | undefined;
    /** The messages that the server has not stored yet, oldest first. */
    get outbox(): readonly OutboxEntry[];
    /**
     * Adds a listener. Add all listeners before `connect()`: an event without a listener is lost.
     * @returns a function that removes the listener
     */
    on<T extends EventType>(type: T, listener: (event: Events[T]) => void): () => void;
    /**
     * @returns all events from now on, for `for await`, until `close()`. The cursor in the storage moves past an event
     *   when your loop asks for the next one
     */
    events(): AsyncIterableIterator<MessengerEvent>;
    [Symbol.asyncIterator](): AsyncIterableIterator<MessengerEvent>;
    /**
     * Connects, and reconnects after each loss until `close()`. If the client waits for its next attempt, it makes the
     * attempt at once.
     * @returns a promise that resolves with the first `hello`. Until then the event `state` says why attempts fail
     * @throws MessengerError if a retry cannot succeed: `SIGNED_OUT`, `PASSWORD_REQUIRED`, `CLOSED` and others
     */
    connect({ cursor }?: ConnectOptions): Promise<void>;
    /**
     * Sends a message. The server stores it exactly once, also when the connection is lost on the way, and stores the
     * messages of one conversation in the order of the calls.
     * @param request gets a new `client_id` if it has none. A second call with a `client_id` of the outbox sends nothing
     *   and returns the result of the first
     * @returns the stored message
     * @throws MessengerError with the server's problem if it refuses the message for good; `STORAGE` if the message is
     *   not saved and not sent; `CLOSED` after `close()`, when the message stays in the storage
     */
    send(request: SendRequest): Promise<Message>;
    /**
     * Replaces the content of a message of this user.
     * @throws MessengerError with the server's problem; `CLOSED`
     */
    edit(message_id: number, content: string): Promise<Message>;
    /**
     * Deletes the content of a message of this user. The message stays in its conversation, with `deleted_at`.
     * @throws MessengerError with the server's problem; `CLOSED`
     */
    delete(message_id: number): Promise<Message>;
    /**
     * Moves the marks of this user in a conversation forward.
     * @param marks ids of the last message that a device has received, and of the last one that the user has read
     * @throws MessengerError with the server's problem; `CLOSED`
     */
    mark(conversation_id: number, marks: {
        delivered_up_to?: number;
        read_up_to?: number;
    }): Promise<Receipt>;
    /**
     * Shows the other members of a conversation that this user is typing. You may call it for each keystroke: it sends at
     * most one frame in 3 seconds. Does nothing without a connection.
     */
    typing(conversation_id: number): void;
    /** Subscribes to the `presence` of these users instead of the earlier ones. Holds for later connections as well. */
    watch(usernames: readonly string[]): void;
    /**
     * Changes the profile of this user. An absent member stays as it is, and `null` removes it.
     * @returns the new profile
     * @throws MessengerError with the server's problem
     */
    updateProfile(change: ProfileChange): Promise<Profile>;
    /**
     * Revokes the token and closes the client.
     * @param options `everywhere`: revokes all tokens of this user
     * @throws MessengerError if the server did not revoke the token; the client then stays open
     */
    logout({ everywhere }?: {
        everywhere?: boolean;
    }): Promise<void>;
    /**
     * Closes the connection, all timers and the storage. Calls that are not finished reject with `CLOSED`. Messages that
     * are not sent stay in the storage.
     */
    close(): Promise<void>;
}
