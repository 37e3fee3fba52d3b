import { newClientId } from './client-id.js';
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
    /** @returns the next frame that may go */
    take() {
        const request = this.#waiting.shift();
        if (!request)
            return undefined;
        this.#sent.set(request.frame.id, request);
        return request.frame;
    }
    /** @returns the frame that was answered, if it is one of these */
    typeOf(id) {
        return this.#sent.get(id)?.frame.type;
    }
    accept(id, ack) {
        this.#sent.get(id)?.resolve(ack);
        this.#sent.delete(id);
    }
    refuse(id, error) {
        this.#sent.get(id)?.reject(error);
        this.#sent.delete(id);
    }
    /** A frame was not taken for now. */
    putBack(id) {
        const request = this.#sent.get(id);
        this.#sent.delete(id);
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
}
