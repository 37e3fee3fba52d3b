import { MessengerError } from "./error.js";
/** Milliseconds to wait for the reply to a close frame. */
const CLOSE_TIMEOUT = 1000;
/** Milliseconds to wait for the reply to the ping of `probe()`. */
const PROBE_TIMEOUT = 5000;
/** One WebSocket connection of the subprotocol `messenger.v1`: its handshake, its heartbeat and its end. */
export class Socket {
    #socket;
    #onEnd;
    #closed;
    #wasOpen = false;
    #isEnded = false;
    /** Whether a frame was received since the last ping. */
    #isAlive = true;
    #isProbing = false;
    /** Milliseconds between two pings. */
    #heartbeat = 0;
    #timer;
    /** @throws MessengerError `INVALID_OPTION` if the runtime refuses the URL, the token or the constructor. */
    constructor({ url, token, cursor, WebSocket, timeout, onFrame, onEnd }) {
        this.#onEnd = onEnd;
        const query = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`;
        const protocols = ['messenger.v1', `bearer.${token}`];
        this.#socket = open(WebSocket, `${url.replace(/^http/i, 'ws')}/ws${query}`, protocols);
        this.#socket.addEventListener('message', ({ data }) => {
            if (this.#isEnded)
                return;
            this.#isAlive = true;
            const frame = JSON.parse(data);
            if (frame.type === 'hello')
                this.#start(frame);
            onFrame(frame);
        });
        this.#closed = new Promise((resolve) => {
            this.#socket.addEventListener('close', ({ code }) => {
                this.#end(code);
                resolve();
            });
        });
        // `close` follows each `error`. Without a listener for `error`, `ws` throws it.
        this.#socket.addEventListener('error', () => { });
        this.#timer = setTimeout(() => this.terminate(), timeout);
    }
    /** Sends a frame. Does nothing after the end of the connection. */
    send(frame) {
        if (!this.#isEnded)
            this.#socket.send(JSON.stringify(frame));
    }
    /** Ends the connection at once, without a closing handshake. Later frames are ignored. */
    terminate() {
        this.#end(1006);
        this.#discard();
    }
    /**
     * Sends a ping. Terminates the connection if nothing is received within 5 seconds, or one heartbeat if that is less.
     */
    probe() {
        if (!this.#wasOpen || this.#isEnded || this.#isProbing)
            return;
        this.#isProbing = true;
        this.#ping(Math.min(PROBE_TIMEOUT, this.#heartbeat));
    }
    /** Ends the connection with a closing handshake. Resolves after the reply, or after 1 second without one. */
    async close() {
        this.#end(1000);
        this.#socket.close(1000);
        let timer;
        const timeout = new Promise((resolve) => {
            timer = setTimeout(resolve, CLOSE_TIMEOUT);
        });
        await Promise.race([this.#closed, timeout]);
        clearTimeout(timer);
        this.#discard();
    }
    #start({ heartbeat_ms }) {
        this.#wasOpen = true;
        this.#heartbeat = heartbeat_ms;
        this.#checkIn(heartbeat_ms);
    }
    #check() {
        if (!this.#isAlive) {
            this.terminate();
            return;
        }
        this.#isProbing = false;
        this.#ping(this.#heartbeat);
    }
    #ping(timeout) {
        this.#isAlive = false;
        this.send({ type: 'ping' });
        this.#checkIn(timeout);
    }
    #checkIn(ms) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#check(), ms);
    }
    #discard() {
        if (this.#socket.terminate)
            this.#socket.terminate();
        else
            this.#socket.close();
    }
    #end(code) {
        if (this.#isEnded)
            return;
        this.#isEnded = true;
        clearTimeout(this.#timer);
        this.#onEnd({ code, wasOpen: this.#wasOpen });
    }
}
const open = (WebSocket, url, protocols) => {
    try {
        return new WebSocket(url, protocols);
    }
    catch (cause) {
        const { message } = cause;
        throw new MessengerError('INVALID_OPTION', `The WebSocket cannot be created: ${message}. Check \`url\`, \`session\` and \`WebSocket\`.`, { cause });
    }
};
//# sourceMappingURL=socket.js.map