import { newClientId } from "./client-id.js";
/** Seconds after a refusal that says no time. */
const RETRY_AFTER = 1;
/** Whose presence is to be told: the list goes with each connection, and again where it was refused for now. */
export class Watch {
    #send;
    #usernames;
    /** Of the frame with the last list: what is said of an older one no longer matters. */
    #id;
    #timer;
    /** @param send sends a frame, if there is a connection. */
    constructor(send) {
        this.#send = send;
    }
    set(usernames) {
        this.#usernames = [...usernames];
        this.ask();
    }
    /** Sends the list, if there is one. */
    ask() {
        clearTimeout(this.#timer);
        if (!this.#usernames)
            return;
        this.#id = newClientId();
        this.#send({ type: 'watch', id: this.#id, usernames: this.#usernames });
    }
    refused({ id, retryable, retry_after = RETRY_AFTER }) {
        if (id !== this.#id || !retryable)
            return;
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.ask(), retry_after * 1000);
    }
    /** There is no connection any more. */
    lost() {
        clearTimeout(this.#timer);
    }
}
