import { newClientId } from "./client-id.js";
import { Courier } from "./courier.js";
import { MessengerError } from "./error.js";
import { Feed } from "./events.js";
import { createApi, globalFetch, unwrap } from "./http.js";
import { Link } from "./link.js";
import { serverUrl } from "./server-url.js";
import { SessionKeeper } from "./session.js";
import { memoryStorage } from "./storage.js";
import { Watch } from "./watch.js";
/** Milliseconds between two `typing` of a conversation: more the server does not pass on. */
const TYPING_PAUSE = 3000;
/** One user's connection to a server, which comes back by itself. */
export class Messenger {
    /** The HTTP calls, with this client's token; see `unwrap`. */
    api;
    #url;
    #storage;
    #session;
    #feed;
    #courier;
    #link;
    #watch = new Watch((frame) => this.#link.send(frame));
    #closing = new AbortController();
    #typed = new Map();
    #loading;
    #closed;
    #storing = Promise.resolve();
    #owner;
    #cursor;
    #isReset = false;
    /** The id of the newest message that was handed over. */
    #newest = 0;
    #hello;
    /** @throws MessengerError `INVALID_OPTION` for a `url` that is missing or no address of a server */
    constructor(options = {}) {
        const { fetch = globalFetch, backoff = { min: 500, max: 30_000 }, timeout = 10_000 } = options;
        const { username, password, session } = options;
        this.#url = serverUrl(options.url);
        this.#storage = options.storage ?? memoryStorage();
        this.#feed = new Feed((cursor) => this.#store(() => this.#storage.setCursor(cursor)));
        const { signal } = this.#closing;
        const untilClosed = (request) => fetch(new Request(request, { signal: AbortSignal.any([request.signal, signal]) }));
        this.api = createApi(this.#url, untilClosed, () => this.session?.token);
        this.#session = new SessionKeeper(this.api, {
            session,
            credentials: username === undefined ? undefined : { username, password },
            signal: () => AbortSignal.timeout(timeout),
            onSession: (session) => this.#feed.emit({ type: 'session', session }),
        });
        this.#courier = new Courier({
            sent: (client_id, message) => this.#left(client_id, { type: 'sent', client_id, message }),
            refused: (entry, error) => this.#left(entry.client_id, { type: 'send_failed', entry, error }),
        });
        this.#link = new Link({
            url: this.#url,
            WebSocket: options.WebSocket ?? globalThis.WebSocket,
            backoff,
            timeout,
            session: this.#session,
            cursor: () => this.#cursor,
            prepare: () => this.#own(),
            onFrame: (frame) => this.#receive(frame),
            onLost: () => {
                this.#isReset = false;
                this.#watch.lost();
                this.#courier.lost();
            },
            onState: (event) => this.#feed.emit(event),
        });
    }
    get state() {
        return this.#link.state;
    }
    /** The session as it is now; absent before the first login. */
    get session() {
        return this.#session.current;
    }
    /** What the server said at the last connection: who I am, its limits. */
    get hello() {
        return this.#hello;
    }
    /** Messages that are not stored yet, oldest first. */
    get outbox() {
        return this.#courier.entries;
    }
    /** @returns what takes the listener away. What nobody listens to when it comes is gone: listen before `connect()`. */
    on(type, listener) {
        return this.#feed.on(type, listener);
    }
    /**
     * @returns every event from now on, for `for await`, until `close()`. The cursor that is kept moves with what was
     *   taken: an event counts as seen when the next one is asked for.
     */
    events() {
        return this.#feed.iterate();
    }
    [Symbol.asyncIterator]() {
        return this.events();
    }
    /**
     * Connects, and stays connected until `close()`. While it waits for its next attempt: tries now.
     * @returns a promise for the first `hello`; until it comes the event `state` says why an attempt failed
     * @throws MessengerError where no attempt would help: `SIGNED_OUT`, `PASSWORD_REQUIRED`, `CLOSED`, …
     */
    async connect({ cursor } = {}) {
        await this.#load();
        if (cursor !== undefined && !this.#link.isOpen) {
            this.#cursor = cursor;
            this.#newest = 0;
        }
        await this.#link.connect();
    }
    /**
     * Sends a message once, however often the connection is lost on the way; those to one conversation in their order.
     * @param request without a `client_id` gets one; with one that is in the outbox already it is the same message
     * @returns the message as it is stored
     * @throws MessengerError with the server's problem where it will not take it; `CLOSED` (it stays in the storage)
     */
    async send(request) {
        await this.#load();
        const entry = { ...request, client_id: request.client_id ?? newClientId() };
        const sent = this.#courier.add(entry);
        this.#feed.emit({ type: 'outbox' });
        this.#store(() => this.#storage.put(entry), (error) => error ? this.#courier.notKept(entry.client_id, error) : this.#courier.kept(entry.client_id));
        return sent;
    }
    /** Replaces the content of my message. */
    async edit(message_id, content) {
        return (await this.#courier.ask({ type: 'edit', message_id, content })).message;
    }
    /** Empties my message; it keeps its place. */
    async delete(message_id) {
        return (await this.#courier.ask({ type: 'delete', message_id })).message;
    }
    /** Moves my marks in a conversation forward: what this device has, and what I have read. */
    async mark(conversation_id, marks) {
        return (await this.#courier.ask({ type: 'receipt', conversation_id, ...marks })).receipt;
    }
    /** Tells the others of a conversation that I am typing: may be called at each key; lost without a connection. */
    typing(conversation_id) {
        const now = performance.now();
        if (now - (this.#typed.get(conversation_id) ?? Number.NEGATIVE_INFINITY) < TYPING_PAUSE)
            return;
        this.#typed.set(conversation_id, now);
        this.#link.send({ type: 'typing', conversation_id });
    }
    /** Replaces the list of people whose `presence` is told, now and after each reconnection. */
    watch(usernames) {
        this.#watch.set(usernames);
    }
    /** Ends my token (everywhere: all of my tokens) and closes. */
    async logout({ everywhere = false } = {}) {
        await unwrap(this.api.POST('/logout', { params: { query: { everywhere } } }));
        await this.close();
    }
    /** Leaves nothing behind: no timer, no socket. What was not sent stays in the storage. */
    close() {
        this.#closed ??= this.#close();
        return this.#closed;
    }
    async #close() {
        const error = closed();
        this.#courier.close(error);
        const ended = this.#link.close(error);
        this.#feed.end();
        this.#closing.abort(error);
        await ended;
        await this.#storing;
        await this.#storage.close?.();
    }
    #load() {
        if (this.state === 'closed')
            return Promise.reject(closed());
        this.#loading ??= (async () => {
            const { owner, cursor, outbox } = await this.#storage.load();
            this.#owner = owner;
            this.#cursor = cursor;
            for (const entry of outbox) {
                this.#courier.add(entry).catch(() => { });
                this.#courier.kept(entry.client_id);
            }
        })();
        return this.#loading;
    }
    /** What is kept for one user must not be sent by another. */
    #own() {
        const me = `${this.#url}/users/${this.session?.user.id}`;
        if (this.#owner === undefined)
            this.#store(() => this.#storage.setOwner(me));
        else if (this.#owner !== me) {
            throw new MessengerError('STORAGE_IN_USE', `The storage is that of ${this.#owner}.`);
        }
        this.#owner = me;
    }
    #store(work, then = () => { }) {
        const done = (async () => work())().then(() => then(), (cause) => {
            const error = new MessengerError('STORAGE', 'The storage would not keep something.', { cause });
            this.#feed.emit({ type: 'storage_failed', error });
            then(error);
        });
        this.#storing = this.#storing.then(() => done);
    }
    #receive(frame) {
        switch (frame.type) {
            case 'hello':
                this.#begin(frame);
                break;
            case 'message':
                this.#deliver(frame);
                break;
            case 'conversation':
                this.#courier.learn(frame.peer, frame.conversation_id);
                this.#advance(frame);
                break;
            case 'message_updated':
            case 'receipt':
            case 'typing':
            case 'presence':
                this.#advance(frame);
                break;
            case 'caught_up':
                this.#advance(frame);
                this.#link.setState('online');
                break;
            case 'ack':
                this.#acknowledged(frame);
                break;
            case 'error':
                if (frame.id !== undefined) {
                    this.#watch.refused(frame);
                    this.#courier.refused(frame);
                }
                else if (frame.problem.code === 'CURSOR_UNKNOWN')
                    this.#isReset = true;
        }
    }
    #begin(hello) {
        const { cursor } = hello;
        const isResumed = this.#cursor !== undefined && !this.#isReset;
        this.#hello = hello;
        this.#cursor = cursor;
        if (this.#isReset) {
            // Another database: its ids are others.
            this.#newest = 0;
            this.#isReset = false;
            this.#feed.emit({ type: 'reset', cursor }, cursor);
        }
        else if (!isResumed)
            this.#store(() => this.#storage.setCursor(cursor));
        this.#link.setState(isResumed ? 'catching_up' : 'online');
        this.#watch.ask();
        this.#courier.open(hello.limits, (frame) => this.#link.send(frame));
    }
    #advance(event) {
        this.#cursor = event.cursor ?? this.#cursor;
        this.#feed.emit(event, event.cursor);
    }
    /** Hands a message over, once: ids rise on every stream. */
    #deliver(frame) {
        const isToMe = frame.receiver_id === this.#hello?.user.id;
        this.#courier.learn(isToMe ? frame.sender : frame.receiver, frame.conversation_id);
        if (frame.id <= this.#newest)
            return;
        this.#newest = frame.id;
        this.#advance(frame);
    }
    /** This socket's own change has its ack where other sockets have an event. */
    #acknowledged(ack) {
        const { cursor, message, receipt } = ack;
        // Without a cursor it comes in its place later, or has come.
        if (cursor !== undefined) {
            if (receipt)
                this.#advance({ type: 'receipt', cursor, ...receipt });
            else if (message && this.#courier.isMessage(ack.id))
                this.#deliver({ type: 'message', cursor, ...message });
            else if (message)
                this.#advance({ type: 'message_updated', cursor, ...message });
        }
        this.#courier.acknowledged(ack);
    }
    /** A message left the outbox. */
    #left(client_id, event) {
        this.#store(() => this.#storage.remove(client_id));
        this.#feed.emit(event);
        this.#feed.emit({ type: 'outbox' });
    }
}
const closed = () => new MessengerError('CLOSED', 'This client was closed.');
