import { type Events, type EventType, type MessengerEvent, type State } from './events.ts';
import { type Api, type Credentials, type Fetch } from './http.ts';
import type { WebSocketConstructor } from './socket.ts';
import { type MessengerStorage } from './storage.ts';
import type { Hello, Message, OutboxEntry, Receipt, SendRequest, Session } from './types.ts';
export type MessengerOptions = Partial<Credentials> & {
    /** The server's address, as in `http://localhost:3000`; in a page the page's own is the default. */
    url?: string | undefined;
    /** What `login()` gave. Or `username` (and `password`): then a session that has ended is begun anew. */
    session?: Session | undefined;
    /** Keeps cursor and outbox; by default in memory only. */
    storage?: MessengerStorage;
    /** For a runtime without one, as Node.js 20 and 21: that of the package `ws`. */
    WebSocket?: WebSocketConstructor;
    fetch?: Fetch;
    /** Milliseconds between attempts: a random part of `min`, which doubles up to `max`. */
    backoff?: {
        min: number;
        max: number;
    };
    /** Milliseconds in which a connection must be open and a token renewed; 10,000 by default. */
    timeout?: number;
};
export type ConnectOptions = {
    /**
     * Where the stream goes on: the `cursor` of what was loaded by HTTP. By default the one that the storage kept. While
     * there is a connection it changes nothing; of several that are given before, the last counts.
     */
    cursor?: string | undefined;
};
/** One user's connection to a server, which comes back by itself. */
export declare class Messenger {
    #private;
    /** The HTTP calls, with this client's token; see `unwrap`. */
    readonly api: Api;
    /** @throws MessengerError `INVALID_OPTION` for a `url` that is missing or no address of a server */
    constructor(options?: MessengerOptions);
    get state(): State;
    /** The session as it is now; absent before the first login. */
    get session(): Session | undefined;
    /** What the server said at the last connection: who I am, its limits. */
    get hello(): Hello | undefined;
    /** Messages that are not stored yet, oldest first. */
    get outbox(): readonly OutboxEntry[];
    /** @returns what takes the listener away. What nobody listens to when it comes is gone: listen before `connect()`. */
    on<T extends EventType>(type: T, listener: (event: Events[T]) => void): () => void;
    /**
     * @returns every event from now on, for `for await`, until `close()`. The cursor that is kept moves with what was
     *   taken: an event counts as seen when the next one is asked for.
     */
    events(): AsyncIterableIterator<MessengerEvent>;
    [Symbol.asyncIterator](): AsyncIterableIterator<MessengerEvent>;
    /**
     * Connects, and stays connected until `close()`. While it waits for its next attempt: tries now.
     * @returns a promise for the first `hello`; until it comes the event `state` says why an attempt failed
     * @throws MessengerError where no attempt would help: `SIGNED_OUT`, `PASSWORD_REQUIRED`, `CLOSED`, …
     */
    connect({ cursor }?: ConnectOptions): Promise<void>;
    /**
     * Sends a message once, however often the connection is lost on the way; those to one conversation in their order.
     * @param request without a `client_id` gets one; with one that is in the outbox already it is the same message
     * @returns the message as it is stored
     * @throws MessengerError with the server's problem where it will not take it; `CLOSED` (it stays in the storage)
     */
    send(request: SendRequest): Promise<Message>;
    /** Replaces the content of my message. */
    edit(message_id: number, content: string): Promise<Message>;
    /** Empties my message; it keeps its place. */
    delete(message_id: number): Promise<Message>;
    /** Moves my marks in a conversation forward: what this device has, and what I have read. */
    mark(conversation_id: number, marks: {
        delivered_up_to?: number;
        read_up_to?: number;
    }): Promise<Receipt>;
    /** Tells the others of a conversation that I am typing: may be called at each key; lost without a connection. */
    typing(conversation_id: number): void;
    /** Replaces the list of people whose `presence` is told, now and after each reconnection. */
    watch(usernames: readonly string[]): void;
    /** Ends my token (everywhere: all of my tokens) and closes. */
    logout({ everywhere }?: {
        everywhere?: boolean;
    }): Promise<void>;
    /** Leaves nothing behind: no timer, no socket. What was not sent stays in the storage. */
    close(): Promise<void>;
}
