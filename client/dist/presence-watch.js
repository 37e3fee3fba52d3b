import { newClientId } from "./client-id.js";
/** Seconds to wait after a refusal without `retry_after`. */
const RETRY_AFTER = 1;
/**
 * The list of users whose presence the client subscribes to. Sends it over each connection, until the server takes it.
 */
export class PresenceWatch {
    #send;
    #usernames;
    /** Request id of the last `watch` frame. An error for an earlier frame is ignored. */
    #id;
    #timer;
    /** @param send sends a frame. Drops it without a connection. */
    constructor(send) {
        this.#send = send;
    }
    /** Replaces the list and sends it. */
    set(usernames) {
        this.#usernames = [...usernames];
        this.send();
    }
    /** Sends the list, if there is one. */
    send() {
        clearTimeout(this.#timer);
        if (!this.#usernames)
            return;
        this.#id = newClientId();
        this.#send({ type: 'watch', id: this.#id, usernames: this.#usernames });
    }
    /** Sends the list again later, if the server refused it for now. */
    handleError({ id, retryable, retry_after = RETRY_AFTER }) {
        if (id !== this.#id || !retryable)
            return;
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.send(), retry_after * 1000);
    }
    disconnected() {
        clearTimeout(this.#timer);
    }
}
//# sourceMappingURL=presence-watch.js.map