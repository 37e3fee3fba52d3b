import { MessengerError } from "./error.js";
import { closeCodes } from "./generated/close-codes.js";
import { watchNetwork } from "./network-events.js";
import { Socket } from "./socket.js";
/** Stays connected: socket after socket, by the table of close codes, until there is no use in it or `close()`. */
export class Link {
    state = 'idle';
    #options;
    #socket;
    /** With which it was opened. */
    #cursor;
    #isRedirected = false;
    #hello;
    #running;
    /** Why it runs no more. */
    #ended;
    #waiters = [];
    #wake = () => { };
    /** The next wait is left out. */
    #isHurried = false;
    #renewal;
    constructor(options) {
        this.#options = options;
    }
    get isOpen() {
        return this.#hello !== undefined;
    }
    /** @returns a promise for the next `hello`, at today's cursor. @throws MessengerError when no attempt would help */
    async connect() {
        if (this.#hello)
            return;
        if (this.state === 'closed')
            throw this.#ended;
        if (!this.#options.WebSocket)
            throw noWebSocket();
        this.#ended = undefined;
        if (this.#socket && this.#cursor !== this.#options.cursor()) {
            // Its `hello` would begin elsewhere, and what lies between would never come.
            this.#isRedirected = true;
            this.#socket.abandon();
        }
        await new Promise((resolve, reject) => {
            this.#waiters.push({ resolve, reject });
            this.#wake();
            this.#running ??= this.#run();
        });
    }
    /** Sends a frame, if there is a connection. */
    send(frame) {
        if (this.#hello)
            this.#socket?.send(frame);
    }
    setState(state, details = {}) {
        this.state = state;
        this.#options.onState({ type: 'state', state, ...details });
    }
    /** Connects no more until `connect()` is called again. */
    stop(error) {
        if (this.#ended)
            return;
        this.#ended = error;
        this.#socket?.abandon();
        this.#wake();
        this.setState('stopped', { error });
        for (const { reject } of this.#waiters.splice(0))
            reject(error);
    }
    async close(error) {
        this.#ended = error;
        this.setState('closed');
        this.#wake();
        for (const { reject } of this.#waiters.splice(0))
            reject(error);
        await this.#socket?.close();
        await this.#running;
    }
    async #run() {
        const unwatch = watchNetwork({ offline: () => this.#socket?.abandon(), awake: () => this.#awake() });
        const { min, max } = this.#options.backoff;
        for (let attempt = 0; !this.#ended; attempt += 1) {
            let wait = Math.random() * Math.min(max, min * 2 ** attempt);
            let error;
            try {
                const lasted = await this.#attempt();
                // Longer than the longest wait: it was a good one.
                if (lasted > max)
                    attempt = 0;
            }
            catch (cause) {
                error = asMessengerError(cause);
                if (!error.retryable)
                    this.stop(error);
                wait += (error.retryAfter ?? 0) * 1000;
            }
            // What came before says nothing of the network that there is now.
            if (!this.#ended && (await this.#pause(wait, error)))
                attempt = -1;
        }
        unwatch();
        this.#running = undefined;
    }
    /** There may be a network again: an open connection is checked, a wait for the next attempt ends. */
    #awake() {
        if (this.#hello)
            this.#socket?.check();
        else {
            this.#isHurried = true;
            this.#wake();
        }
    }
    /** One connection, from login to loss. @returns the milliseconds that it lasted */
    async #attempt() {
        const { session, prepare } = this.#options;
        this.setState('connecting');
        await session.ensure();
        prepare();
        if (this.#ended)
            return 0;
        const started = performance.now();
        let end = await this.#serve();
        while (this.#isRedirected && !this.#ended)
            end = await this.#serve();
        const lasted = end.wasOpen ? performance.now() - started : 0;
        if (!this.#ended)
            await this.#recover(end);
        return lasted;
    }
    #serve() {
        const { url, timeout, session, cursor, onFrame, onLost } = this.#options;
        const WebSocket = this.#options.WebSocket;
        this.#isRedirected = false;
        this.#cursor = cursor();
        return new Promise((resolve) => {
            this.#socket = new Socket({
                url,
                token: session.current?.token,
                cursor: this.#cursor,
                WebSocket,
                timeout,
                onFrame: (frame) => {
                    if (frame.type === 'hello')
                        this.#opened(frame);
                    onFrame(frame);
                },
                onEnd: (end) => {
                    clearTimeout(this.#renewal);
                    this.#socket = undefined;
                    this.#hello = undefined;
                    onLost();
                    resolve(end);
                },
            });
        });
    }
    #opened(hello) {
        this.#hello = hello;
        this.#isHurried = false;
        this.#renewLater();
        for (const { resolve } of this.#waiters.splice(0))
            resolve();
    }
    /** Does what the end of a connection asks for. */
    async #recover({ code, wasOpen }) {
        const { session } = this.#options;
        const known = closeCodes[code];
        if (known?.reconnect === 'renew')
            await session.renew();
        else if (known?.reconnect === 'fix') {
            throw new MessengerError('CLOSED_BY_SERVER', `The server closed with ${code}, ${known.name}: ${known.why}.`);
        }
        // Browsers don't say why a handshake failed.
        if (!known && !wasOpen && (await session.check())) {
            throw new MessengerError('NETWORK', `The server answers HTTP, but no WebSocket could be opened at ${this.#options.url}/ws. A proxy must forward ` +
                'the headers Upgrade and Connection.', { retryable: true });
        }
    }
    /** @returns whether the wait was cut short */
    async #pause(ms, error) {
        this.setState('waiting', { retry_in_ms: Math.round(ms), ...(error && { error }) });
        const isWoken = await new Promise((resolve) => {
            const timer = setTimeout(() => resolve(false), ms);
            this.#wake = () => {
                clearTimeout(timer);
                resolve(true);
            };
            if (this.#isHurried)
                this.#wake();
        });
        this.#isHurried = false;
        return isWoken;
    }
    #renewLater() {
        this.#renewal = setTimeout(() => {
            this.#renew().catch((cause) => this.stop(asMessengerError(cause)));
        }, this.#options.session.renewIn);
    }
    async #renew() {
        const { session } = this.#options;
        const socket = this.#socket;
        try {
            const { token } = await session.renew();
            socket?.send({ type: 'auth', token });
        }
        catch (error) {
            if (!asMessengerError(error).retryable)
                throw error;
        }
        if (this.#socket === socket)
            this.#renewLater();
    }
}
const asMessengerError = (cause) => cause instanceof MessengerError
    ? cause
    : new MessengerError('INTERNAL', `Unexpected error: ${cause.message}. It is one of this client, or of an object that it was given.`, { cause });
const noWebSocket = () => new MessengerError('INVALID_OPTION', 'This runtime has no WebSocket. Use Node.js 22 or newer, or pass that of the package ws: ' +
    "import { WebSocket } from 'ws'; new Messenger({ url, username, WebSocket }).");
