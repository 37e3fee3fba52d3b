import { AppTokens } from "./app-tokens.js";
import { newClientId } from "./client-id.js";
import { MessengerError } from "./error.js";
import { EventStream } from "./event-stream.js";
import { FrameReceiver } from "./frame-receiver.js";
import { createApi, globalFetch, unwrap } from "./http.js";
import { PresenceWatch } from "./presence-watch.js";
import { Profiles } from "./profiles.js";
import { ReconnectingSocket } from "./reconnecting-socket.js";
import { SendQueue } from "./send-queue.js";
import { serverUrl } from "./server-url.js";
import { SessionManager } from "./session-manager.js";
import { memoryStorage } from "./storage.js";
import { StorageWriter } from "./storage-writer.js";
/** Milliseconds between two `typing` frames for a conversation. The server drops more frequent ones. */
const TYPING_INTERVAL = 3000;
/** A user's client: HTTP calls, and a connection that reconnects and resumes by itself. */
export class Messenger {
    /** The HTTP calls, with the token of this client. Pass a call to `unwrap()`. */
    api;
    /** The profiles of users: display names and avatars. */
    profiles;
    #url;
    #storage;
    #session;
    #events;
    #sendQueue;
    #socket;
    #receiver;
    #presenceWatch = new PresenceWatch((frame) => this.#socket.send(frame));
    #closing = new AbortController();
    /** When `typing` was last sent (time of `performance.now()`), by conversation. */
    #typedAt = new Map();
    #loading;
    #closed;
    /** @throws MessengerError `INVALID_OPTION` if `url` or `getToken` cannot be used */
    constructor(options = {}) {
        const { fetch = globalFetch, backoff = { min: 500, max: 30_000 }, timeout = 10_000 } = options;
        const { username, password, session, getToken } = options;
        if (getToken !== undefined)
            checkGetToken(options);
        this.#url = serverUrl(options.url);
        this.#events = new EventStream((cursor) => this.#storage.setCursor(cursor));
        this.#storage = new StorageWriter(options.storage ?? memoryStorage(), (error) => this.#events.emit({ type: 'storage_failed', error }));
        const { signal } = this.#closing;
        const untilClosed = (request) => fetch(new Request(request, { signal: AbortSignal.any([request.signal, signal]) }));
        const ofSession = { current: () => this.session?.token };
        const ofApp = {
            current: async () => (await this.#session.ensure()).token,
            replace: async (refused) => {
                const { token } = await this.#session.ensure();
                return token === refused ? (await this.#session.replace()).token : token;
            },
        };
        this.api = createApi(this.#url, untilClosed, getToken ? ofApp : ofSession);
        this.profiles = new Profiles(this.api, timeout, (event) => this.#events.emit(event));
        this.#session = new SessionManager(this.api, {
            appTokens: getToken && new AppTokens({ getToken, api: this.api, timeout, closing: signal }),
            session,
            credentials: username === undefined ? undefined : { username, password },
            signal: () => AbortSignal.timeout(timeout),
            onSession: (session) => this.#events.emit({ type: 'session', session }),
        });
        this.#sendQueue = new SendQueue({
            onSent: (client_id, message) => this.#leaveOutbox(client_id, { type: 'sent', client_id, message }),
            onRejected: (entry, error) => this.#leaveOutbox(entry.client_id, { type: 'send_failed', entry, error }),
        });
        this.#receiver = new FrameReceiver({
            events: this.#events,
            sendQueue: this.#sendQueue,
            presenceWatch: this.#presenceWatch,
            profiles: this.profiles,
            storage: this.#storage,
            socket: () => this.#socket,
        });
        this.#socket = new ReconnectingSocket({
            url: this.#url,
            WebSocket: options.WebSocket ?? globalThis.WebSocket,
            backoff,
            timeout,
            session: this.#session,
            cursor: () => this.#receiver.cursor,
            beforeConnect: () => this.#storage.claim(`${this.#url}/users/${this.session?.user.id}`),
            onFrame: (frame) => this.#receiver.receive(frame),
            onDisconnect: () => {
                this.#receiver.disconnected();
                this.#presenceWatch.disconnected();
                this.#sendQueue.disconnected();
            },
            onState: (event) => this.#events.emit(event),
        });
    }
    get state() {
        return this.#socket.state;
    }
    /** The current session; `undefined` before the first login. */
    get session() {
        return this.#session.current;
    }
    /** The `hello` frame of the last connection: the user and the limits of the server. */
    get hello() {
        return this.#receiver.hello;
    }
    /** The messages that the server has not stored yet, oldest first. */
    get outbox() {
        return this.#sendQueue.entries;
    }
    /**
     * Adds a listener. Add all listeners before `connect()`: an event without a listener is lost.
     * @returns a function that removes the listener
     */
    on(type, listener) {
        return this.#events.on(type, listener);
    }
    /**
     * @returns all events from now on, for `for await`, until `close()`. The cursor in the storage moves past an event
     *   when your loop asks for the next one
     */
    events() {
        return this.#events.iterate();
    }
    [Symbol.asyncIterator]() {
        return this.events();
    }
    /**
     * Connects, and reconnects after each loss until `close()`. If the client waits for its next attempt, it makes the
     * attempt at once.
     * @returns a promise that resolves with the first `hello`. Until then the event `state` says why attempts fail
     * @throws MessengerError if a retry cannot succeed: `SIGNED_OUT`, `PASSWORD_REQUIRED`, `CLOSED` and others
     */
    async connect({ cursor } = {}) {
        await this.#load();
        if (cursor !== undefined && !this.#socket.isOpen)
            this.#receiver.resumeAt(cursor);
        await this.#socket.connect();
    }
    /**
     * Sends a message. The server stores it exactly once, also when the connection is lost on the way, and stores the
     * messages of one conversation in the order of the calls.
     * @param request gets a new `client_id` if it has none. A second call with a `client_id` of the outbox sends nothing
     *   and returns the result of the first
     * @returns the stored message
     * @throws MessengerError with the server's problem if it refuses the message for good; `STORAGE` if the message is
     *   not saved and not sent; `CLOSED` after `close()`, when the message stays in the storage
     */
    async send(request) {
        await this.#load();
        const entry = { ...request, client_id: request.client_id ?? newClientId() };
        const { client_id } = entry;
        const sent = this.#sendQueue.add(entry);
        this.#events.emit({ type: 'outbox' });
        this.#storage.put(entry, (error) => error ? this.#sendQueue.reject(client_id, error) : this.#sendQueue.markStored(client_id));
        return sent;
    }
    /**
     * Replaces the content of a message of this user.
     * @throws MessengerError with the server's problem; `CLOSED`
     */
    async edit(message_id, content) {
        return (await this.#sendQueue.request({ type: 'edit', message_id, content })).message;
    }
    /**
     * Deletes the content of a message of this user. The message stays in its conversation, with `deleted_at`.
     * @throws MessengerError with the server's problem; `CLOSED`
     */
    async delete(message_id) {
        return (await this.#sendQueue.request({ type: 'delete', message_id })).message;
    }
    /**
     * Moves the marks of this user in a conversation forward.
     * @param marks ids of the last message that a device has received, and of the last one that the user has read
     * @throws MessengerError with the server's problem; `CLOSED`
     */
    async mark(conversation_id, marks) {
        return (await this.#sendQueue.request({ type: 'receipt', conversation_id, ...marks })).receipt;
    }
    /**
     * Shows the other members of a conversation that this user is typing. You may call it for each keystroke: it sends at
     * most one frame in 3 seconds. Does nothing without a connection.
     */
    typing(conversation_id) {
        const now = performance.now();
        if (now - (this.#typedAt.get(conversation_id) ?? Number.NEGATIVE_INFINITY) < TYPING_INTERVAL)
            return;
        this.#typedAt.set(conversation_id, now);
        this.#socket.send({ type: 'typing', conversation_id });
    }
    /** Subscribes to the `presence` of these users instead of the earlier ones. Holds for later connections as well. */
    watch(usernames) {
        this.#presenceWatch.set(usernames);
    }
    /**
     * Changes the profile of this user. An absent member stays as it is, and `null` removes it.
     * @returns the new profile
     * @throws MessengerError with the server's problem
     */
    async updateProfile(change) {
        const { username, profile = {} } = await unwrap(this.api.PATCH('/users/me', { body: change }));
        this.profiles.set(username, profile);
        return profile;
    }
    /**
     * Revokes the token and closes the client.
     * @param options `everywhere`: revokes all tokens of this user
     * @throws MessengerError if the server did not revoke the token; the client then stays open
     */
    async logout({ everywhere = false } = {}) {
        await unwrap(this.api.POST('/logout', { params: { query: { everywhere } } }));
        await this.close();
    }
    /**
     * Closes the connection, all timers and the storage. Calls that are not finished reject with `CLOSED`. Messages that
     * are not sent stay in the storage.
     */
    close() {
        this.#closed ??= this.#close();
        return this.#closed;
    }
    async #close() {
        const error = closedError();
        this.#sendQueue.close(error);
        this.profiles.close(error);
        const ended = this.#socket.close(error);
        this.#events.end();
        this.#closing.abort(error);
        await ended;
        await this.#storage.close();
    }
    /** Loads the storage once, before the first connection or send. */
    #load() {
        if (this.state === 'closed')
            return Promise.reject(closedError());
        this.#loading ??= (async () => {
            const { cursor, outbox } = await this.#storage.load();
            this.#receiver.resumeAt(cursor);
            for (const entry of outbox) {
                this.#sendQueue.add(entry).catch(() => { });
                this.#sendQueue.markStored(entry.client_id);
            }
        })();
        return this.#loading;
    }
    /** Removes a message from the storage, and reports that it left the outbox. */
    #leaveOutbox(client_id, event) {
        this.#storage.remove(client_id);
        this.#events.emit(event);
        this.#events.emit({ type: 'outbox' });
    }
}
const closedError = () => new MessengerError('CLOSED', 'This client is closed. Create a new Messenger to connect again.');
const checkGetToken = ({ getToken, username, session }) => {
    if (typeof getToken === 'function' && username === undefined && session === undefined)
        return;
    throw new MessengerError('INVALID_OPTION', '`getToken` must be a function, and replaces `username`, `password` and `session`: pass only one of them.');
};
//# sourceMappingURL=messenger.js.map