import { MessengerError } from "./error.js";
/** Milliseconds that the other side has to answer a close. */
const CLOSE_TIMEOUT = 1000;
/** Milliseconds that it has to answer when the connection is doubted. */
const CHECK_TIMEOUT = 5000;
/** One connection of `messenger.v1`: its handshake, its heartbeat and its end, which is told once. */
export class Socket {
    #socket;
    #onEnd;
    #closed;
    #wasOpen = false;
    #isEnded = false;
    #isHeard = true;
    #isChecked = false;
    #heartbeat = 0;
    #timer;
    constructor({ url, token, cursor, WebSocket, timeout, onFrame, onEnd }) {
        this.#onEnd = onEnd;
        const query = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`;
        const protocols = ['messenger.v1', `bearer.${token}`];
        this.#socket = open(WebSocket, `${url.replace(/^http/i, 'ws')}/ws${query}`, protocols);
        this.#socket.addEventListener('message', ({ data }) => {
            if (this.#isEnded)
                return;
            this.#isHeard = true;
            const frame = JSON.parse(data);
            if (frame.type === 'hello')
                this.#begin(frame);
            onFrame(frame);
        });
        this.#closed = new Promise((resolve) => {
            this.#socket.addEventListener('close', ({ code }) => {
                this.#end(code);
                resolve();
            });
        });
        // What is wrong is told by `close`; `ws` throws an error that nobody listens to.
        this.#socket.addEventListener('error', () => { });
        this.#timer = setTimeout(() => this.abandon(), timeout);
    }
    send(frame) {
        if (!this.#isEnded)
            this.#socket.send(JSON.stringify(frame));
    }
    /** For a connection that is no longer believed in: nothing that it still brings counts. */
    abandon() {
        this.#end(1006);
        this.#discard();
    }
    /** Asks whether the other side is still there: if it is silent for five seconds, the connection is given up. */
    check() {
        if (!this.#wasOpen || this.#isEnded || this.#isChecked)
            return;
        this.#isChecked = true;
        this.#ask(Math.min(CHECK_TIMEOUT, this.#heartbeat));
    }
    /** Says goodbye. Resolves when the other side has answered, or had its time to. */
    async close() {
        this.#end(1000);
        this.#socket.close(1000);
        let timer;
        const late = new Promise((resolve) => {
            timer = setTimeout(resolve, CLOSE_TIMEOUT);
        });
        await Promise.race([this.#closed, late]);
        clearTimeout(timer);
        this.#discard();
    }
    #begin({ heartbeat_ms }) {
        this.#wasOpen = true;
        this.#heartbeat = heartbeat_ms;
        this.#beatIn(heartbeat_ms);
    }
    #beat() {
        if (!this.#isHeard) {
            this.abandon();
            return;
        }
        this.#isChecked = false;
        this.#ask(this.#heartbeat);
    }
    #ask(ms) {
        this.#isHeard = false;
        this.send({ type: 'ping' });
        this.#beatIn(ms);
    }
    #beatIn(ms) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#beat(), ms);
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
        throw new MessengerError('INVALID_OPTION', `The WebSocket could not be opened: ${message}. Check \`url\`, \`session\` and \`WebSocket\`.`, { cause });
    }
};
