import { closeCodes } from './generated/close-codes.js';
import { newClientId } from './client-id.js';
import { MessengerError } from './error.js';
import { Feed } from './events.js';
import { createApi, globalFetch, unwrap } from './http.js';
import { Outbox, sendFrame } from './outbox.js';
import { Pace } from './pace.js';
import { Requests } from './requests.js';
import { SessionKeeper } from './session.js';
import { Socket } from './socket.js';
import { memoryStorage } from './storage.js';
/** Messages under way at a time, in all conversations. */
const WINDOW = 64;
/** Milliseconds after which a connection has been good. */
const STABLE = 10_000;
/** Milliseconds between two `typing` of a conversation, which the server would not pass on. */
const TYPING_PAUSE = 3000;
/** One user's connection to a server, which comes back by itself. */
export class Messenger {
    /** The HTTP calls, with this client's token; see `unwrap`. */
    api;
    #options;
    #WebSocket;
    #storage;
    #session;
    #feed;
    #outbox = new Outbox();
    #requests = new Requests();
    #ended = new AbortController();
    #typed = new Map();
    #state = 'idle';
    #hello;
    #cursor;
    #newest = 0;
    #watched;
    #socket;
    #loading;
    #running;
    #wake;
    #waiters = [];
    #pace = new Pace(1);
    #saving = Promise.resolve();
    #unsaved;
    #renewal;
    #pumping;
    #isReset = false;
    constructor(options = {}) {
        const { fetch = globalFetch, backoff = { min: 500, max: 30_000 }, timeout = 10_000 } = options;
        const url = (options.url ?? globalThis.location?.origin ?? '').replace(/\/$/, '');
        const { username, password, session } = options;
        this.#options = { url, backoff, timeout };
        this.#WebSocket = (options.WebSocket ?? globalThis.WebSocket);
        this.#storage = options.storage ?? memoryStorage();
        this.#feed = new Feed((cursor) => this.#save(cursor));
        const bounded = (request) => fetch(new Request(request, { signal: AbortSignal.any([request.signal, this.#ended.signal]) }));
        this.api = createApi(url, bounded, () => this.session?.token);
        this.#session = new SessionKeeper(this.api, {
            session,
            credentials: username === undefined ? undefined : { username, password },
            onSession: (session) => this.#feed.emit({ type: 'session', session }),
        });
    }
    get state() {
        return this.#state;
    }
    /** The session as it is now; absent before the first login. */
    get session() {
        return this.#session.current;
    }
    /** What the server said of itself at the last connection. */
    get hello() {
        return this.#hello;
    }
    /** Messages that are not stored yet, oldest first. */
    get outbox() {
        return this.#outbox.entries;
    }
    /** @returns what takes the listener away. What nobody listens to when it comes is gone: listen before `connect()`. */
    on(type, listener) {
        return this.#feed.on(type, listener);
    }
    /** @returns every event from now on, for `for await`; ends with `close()`. The cursor moves with what it took. */
    events() {
        return this.#feed.iterate();
    }
    [Symbol.asyncIterator]() {
        return this.events();
    }
    /**
     * Connects, and stays connected until `close()`. While it waits for its next attempt: tries now.
     * @returns a promise for the first `hello`
     * @throws MessengerError where no attempt would help: `SIGNED_OUT`, `PASSWORD_REQUIRED`, `CLOSED`, …
     */
    async connect({ cursor } = {}) {
        if (this.#state === 'closed')
            throw closedError();
        await this.#load();
        if (cursor !== undefined)
            this.#cursor = cursor;
        if (this.#hello && this.#socket)
            return;
        const connected = new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
        if (this.#running)
            this.#wake?.();
        else
            this.#running = this.#run();
        await connected;
    }
    /**
     * Sends a message once, however often the connection is lost on the way; those to one conversation in their order.
     * @param request without a `client_id` gets one; with one that is in the outbox already it is the same message
     * @returns the message as it is stored
     * @throws MessengerError with the server's problem where it will not take it; `CLOSED` (it stays in the storage)
     */
    async send(request) {
        await this.#load();
        if (this.#state === 'closed')
            throw closedError();
        const entry = { ...request, client_id: request.client_id ?? newClientId() };
        const sent = this.#outbox.add(entry);
        this.#feed.emit({ type: 'outbox' });
        this.#keep(entry);
        return sent;
    }
    /** Replaces the content of my message. */
    async edit(message_id, content) {
        const { message } = await this.#ask({ type: 'edit', message_id, content });
        return message;
    }
    /** Empties my message; it keeps its place. */
    async delete(message_id) {
        const { message } = await this.#ask({ type: 'delete', message_id });
        return message;
    }
    /** Moves my marks in a conversation forward: what this device has, and what I have read. */
    async mark(conversation_id, marks) {
        const { receipt } = await this.#ask({ type: 'receipt', conversation_id, ...marks });
        return receipt;
    }
    /** Tells the others of a conversation that I am typing: may be called at each key; lost while there is no connection. */
    typing(conversation_id) {
        const now = performance.now();
        if (!this.#isOpen || now - (this.#typed.get(conversation_id) ?? Number.NEGATIVE_INFINITY) < TYPING_PAUSE)
            return;
        this.#typed.set(conversation_id, now);
        this.#socket?.send({ type: 'typing', conversation_id });
    }
    /** Replaces the list of people whose `presence` is told; it is kept over connections. */
    watch(usernames) {
        this.#watched = [...usernames];
        if (this.#isOpen)
            this.#socket?.send({ type: 'watch', usernames: this.#watched });
    }
    /** Ends my token (everywhere: all of my tokens) and closes. */
    async logout({ everywhere = false } = {}) {
        await unwrap(this.api.POST('/logout', { params: { query: { everywhere } } }));
        await this.close();
    }
    /** Leaves nothing behind: no timer, no socket. What was not sent is in the storage. */
    async close() {
        if (this.#state === 'closed')
            return;
        this.#setState('closed');
        this.#feed.end();
        this.#ended.abort();
        this.#wake?.();
        this.#fail(closedError());
        await this.#socket?.close();
        await this.#running;
        await this.#saving;
        await this.#storage.close?.();
    }
    get #isOpen() {
        return this.#hello !== undefined && this.#socket !== undefined;
    }
    #load() {
        this.#loading ??= (async () => {
            const { cursor, outbox } = await this.#storage.load();
            this.#cursor ??= cursor;
            for (const entry of outbox) {
                this.#outbox.add(entry).catch(() => { });
                this.#outbox.kept(entry.client_id);
            }
        })();
        return this.#loading;
    }
    /** Puts an entry into the storage; only then may it go. */
    #keep(entry) {
        this.#store(async () => {
            await this.#storage.put(entry);
            this.#outbox.kept(entry.client_id);
            this.#pump();
        });
    }
    #save(cursor) {
        const isWaiting = this.#unsaved !== undefined;
        this.#unsaved = cursor;
        if (isWaiting)
            return;
        this.#store(async () => {
            const latest = this.#unsaved;
            this.#unsaved = undefined;
            await this.#storage.setCursor(latest);
        });
    }
    #store(work) {
        this.#saving = this.#saving.then(work).catch((cause) => {
            this.#halt(new MessengerError('STORAGE', 'The storage does not work.', { cause }));
        });
    }
    async #run() {
        const { min, max } = this.#options.backoff;
        for (let attempt = 0; !this.#ended.signal.aborted; attempt += 1) {
            const started = performance.now();
            let wait = Math.random() * Math.min(max, min * 2 ** attempt);
            try {
                this.#setState('connecting');
                await this.#session.ensure();
                const end = await this.#serve();
                if (end.wasOpen && performance.now() - started > STABLE)
                    attempt = 0;
                await this.#recover(end);
            }
            catch (cause) {
                const error = asMessengerError(cause);
                if (!error.retryable) {
                    this.#halt(error);
                    break;
                }
                wait += (error.retryAfter ?? 0) * 1000;
            }
            if (!this.#ended.signal.aborted)
                await this.#pause(wait);
        }
        this.#running = undefined;
    }
    /** @returns how the connection ended */
    #serve() {
        return new Promise((resolve) => {
            this.#socket = new Socket({
                url: this.#options.url,
                token: this.session?.token,
                cursor: this.#cursor,
                WebSocket: this.#WebSocket,
                timeout: this.#options.timeout,
                onFrame: (frame) => this.#receive(frame),
                onEnd: (end) => {
                    this.#socket = undefined;
                    clearTimeout(this.#renewal);
                    clearTimeout(this.#pumping);
                    this.#pumping = undefined;
                    this.#outbox.putAllBack();
                    this.#requests.putAllBack();
                    resolve(end);
                },
            });
        });
    }
    /** Does what the end of a connection asks for. @throws MessengerError which can be retried where another may work */
    async #recover({ code, wasOpen }) {
        if (this.#ended.signal.aborted)
            return;
        if (!wasOpen) {
            // Browsers do not say why a handshake failed.
            await this.#session.check();
            return;
        }
        const known = code in closeCodes ? closeCodes[code] : undefined;
        if (known?.reconnect === 'renew')
            await this.#session.renew();
        if (known?.reconnect === 'fix')
            throw new MessengerError('CLOSED_BY_SERVER', `${code} ${known.name}: ${known.why}`);
    }
    #pause(ms) {
        this.#setState('waiting', { retry_in_ms: Math.round(ms) });
        return new Promise((resolve) => {
            const timer = setTimeout(resolve, ms);
            this.#wake = () => {
                clearTimeout(timer);
                resolve();
            };
        });
    }
    #receive(frame) {
        switch (frame.type) {
            case 'hello':
                this.#begin(frame);
                return;
            case 'ack':
                this.#acknowledged(frame);
                return;
            case 'error':
                this.#refused(frame);
                return;
            case 'message':
                this.#deliver(frame);
                return;
            case 'caught_up':
                this.#advance(frame);
                this.#setState('online');
                return;
            case 'conversation':
                this.#outbox.learn(frame.peer, frame.conversation_id);
                this.#advance(frame);
                return;
            case 'message_updated':
            case 'receipt':
            case 'typing':
            case 'presence':
                this.#advance(frame);
        }
    }
    #begin(hello) {
        const isResumed = this.#cursor !== undefined && !this.#isReset;
        this.#hello = hello;
        this.#cursor = hello.cursor;
        this.#pace = new Pace(hello.limits.frames_per_second);
        if (this.#isReset) {
            this.#isReset = false;
            this.#newest = 0;
            this.#feed.emit({ type: 'reset', cursor: hello.cursor }, hello.cursor);
        }
        else if (!isResumed)
            this.#save(hello.cursor);
        this.#setState(isResumed ? 'catching_up' : 'online');
        if (this.#watched)
            this.#socket?.send({ type: 'watch', usernames: this.#watched });
        for (const { resolve } of this.#waiters.splice(0))
            resolve();
        this.#renewLater();
        this.#pump();
    }
    #advance(event) {
        this.#cursor = event.cursor ?? this.#cursor;
        this.#feed.emit(event, event.cursor);
    }
    /** Hands a message over, once: ids rise on every stream. */
    #deliver(frame) {
        this.#outbox.learn(frame.receiver === this.#hello?.user.username ? frame.sender : frame.receiver, frame.conversation_id);
        if (frame.id <= this.#newest)
            return;
        this.#newest = frame.id;
        this.#advance(frame);
    }
    #acknowledged(ack) {
        const { id = '', cursor, message, receipt } = ack;
        const isSend = this.#outbox.has(id);
        // Without a cursor its change comes in its place, or has come.
        if (cursor !== undefined) {
            if (message && isSend)
                this.#deliver({ type: 'message', cursor, ...message });
            else if (message)
                this.#advance({ type: 'message_updated', cursor, ...message });
            else if (receipt)
                this.#advance({ type: 'receipt', cursor, ...receipt });
        }
        if (isSend && message) {
            this.#outbox.accept(id, message);
            this.#store(async () => this.#storage.remove(id));
            this.#feed.emit({ type: 'sent', client_id: id, message });
            this.#feed.emit({ type: 'outbox' });
        }
        else
            this.#requests.accept(id, ack);
        this.#pump();
    }
    #refused({ id, retryable, retry_after, problem }) {
        if (id === undefined) {
            if (problem.code === 'CURSOR_UNKNOWN')
                this.#isReset = true;
            return;
        }
        if (retryable) {
            this.#outbox.putBack(id);
            this.#requests.putBack(id);
            this.#pumpLater((retry_after ?? 1) * 1000);
            return;
        }
        const error = new MessengerError(problem.code, problem.detail, { problem });
        const entry = this.#outbox.refuse(id, error);
        if (entry) {
            this.#store(async () => this.#storage.remove(id));
            this.#feed.emit({ type: 'send_failed', entry, error });
            this.#feed.emit({ type: 'outbox' });
        }
        else
            this.#requests.refuse(id, error);
        this.#pump();
    }
    #ask(frame) {
        if (this.#state === 'closed')
            return Promise.reject(closedError());
        const answer = this.#requests.ask(frame);
        this.#pump();
        return answer;
    }
    /** Sends what may go now. */
    #pump() {
        if (!this.#isOpen || this.#pumping !== undefined)
            return;
        while (this.#outbox.underWay < WINDOW) {
            const wait = this.#pace.take();
            if (wait > 0) {
                this.#pumpLater(wait);
                return;
            }
            const frame = this.#requests.take() ?? this.#nextSend();
            if (!frame)
                return;
            this.#socket?.send(frame);
        }
    }
    #nextSend() {
        const entry = this.#outbox.take();
        return entry && sendFrame(entry.client_id, entry);
    }
    #pumpLater(ms) {
        clearTimeout(this.#pumping);
        this.#pumping = setTimeout(() => {
            this.#pumping = undefined;
            this.#pump();
        }, ms);
    }
    #renewLater() {
        clearTimeout(this.#renewal);
        this.#renewal = setTimeout(() => {
            this.#renew().catch(() => { });
        }, this.#session.renewIn);
    }
    async #renew() {
        const { token } = await this.#session.renew();
        this.#socket?.send({ type: 'auth', token });
        this.#renewLater();
    }
    #setState(state, details = {}) {
        this.#state = state;
        this.#feed.emit({ type: 'state', state, ...details });
    }
    /** No attempt would help: says so, and waits for `connect()`. */
    #halt(error) {
        if (this.#state === 'closed')
            return;
        this.#setState('stopped', { error });
        this.#socket?.abandon();
        for (const { reject } of this.#waiters.splice(0))
            reject(error);
    }
    #fail(error) {
        this.#outbox.rejectAll(error);
        this.#requests.rejectAll(error);
        for (const { reject } of this.#waiters.splice(0))
            reject(error);
    }
}
const closedError = () => new MessengerError('CLOSED', 'This client was closed.');
const asMessengerError = (cause) => cause instanceof MessengerError
    ? cause
    : new MessengerError('INTERNAL', 'The client made a mistake.', { cause });
