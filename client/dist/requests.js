import { newClientId } from "./client-id.js";
/**
 * Frames that are no messages and want an answer. They may be done twice without harm, so after a lost connection
 * they go again; unlike messages they end with this process.
 */
export class Requests {
    #waiting = [];
    #sent = new Map();
    ask(frame) {
        return new Promise((resolve, reject) => {
            this.#waiting.push({ frame: { ...frame, id: newClientId() }, resolve, reject });
        });
    }
    /** @returns the next frame that may go; it is under way from now on */
    take() {
        const request = this.#waiting.shift();
        if (!request)
            return undefined;
        this.#sent.set(request.frame.id, request);
        return request.frame;
    }
    accept(ack) {
        this.#leave(ack.id)?.resolve(ack);
    }
    refuse(id, error) {
        this.#leave(id)?.reject(error);
    }
    /** A frame was not taken for now. */
    putBack(id) {
        const request = this.#leave(id);
        if (request)
            this.#waiting.unshift(request);
    }
    /** The connection is lost: whatever was under way goes again, in its order. */
    putAllBack() {
        this.#waiting.unshift(...this.#sent.values());
        this.#sent.clear();
    }
    rejectAll(error) {
        this.putAllBack();
        for (const { reject } of this.#waiting.splice(0))
            reject(error);
    }
    #leave(id = '') {
        const request = this.#sent.get(id);
        this.#sent.delete(id);
        return request;
    }
}
