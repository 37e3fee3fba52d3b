import { MessengerError, refusal } from "./error.js";
import { clientIdRule } from "./generated/client-id-rule.js";
import { Outbox } from "./outbox.js";
import { Pace } from "./pace.js";
import { Requests } from "./requests.js";
/** Frames under way at a time, in all conversations. */
const WINDOW = 64;
/** Seconds after a refusal that says no time. */
const RETRY_AFTER = 1;
/** Takes what is to be sent to whatever connection there is, no faster than the server wants it, until it is answered. */
export class Courier {
    #outbox = new Outbox();
    #requests = new Requests();
    #onAnswer;
    #underWay = new Set();
    #delivery;
    #timer;
    /** Before it nothing goes: the server has asked for patience. */
    #resumeAt = 0;
    constructor(onAnswer) {
        this.#onAnswer = onAnswer;
    }
    get entries() {
        return this.#outbox.entries;
    }
    /** Takes a message in; it goes once `kept` was called. */
    add(entry) {
        return this.#outbox.add(entry);
    }
    kept(client_id) {
        this.#outbox.kept(client_id);
        this.#pump();
    }
    /** The storage would not take a message: it does not go. */
    notKept(client_id, error) {
        this.#refuse(client_id, error);
    }
    /** Sends a frame that wants an answer. */
    ask(frame) {
        const answer = this.#requests.ask(frame);
        this.#pump();
        return answer;
    }
    isMessage(id) {
        return id !== undefined && this.#outbox.has(id);
    }
    learn(peer, conversation_id) {
        this.#outbox.learn(peer, conversation_id);
    }
    /** There is a connection. */
    open(limits, send) {
        this.#delivery = { limits, send, pace: new Pace(limits.frames_per_second) };
        this.#pump();
    }
    /** There is none any more. */
    lost() {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        this.#delivery = undefined;
        this.#underWay.clear();
        this.#outbox.putAllBack();
        this.#requests.putAllBack();
    }
    acknowledged(ack) {
        const { id, message } = ack;
        this.#underWay.delete(id ?? '');
        if (this.isMessage(id)) {
            this.#outbox.accept(id, message);
            this.#onAnswer.sent(id, message);
        }
        else
            this.#requests.accept(ack);
        this.#pump();
    }
    refused({ id = '', retryable, retry_after = RETRY_AFTER, problem }) {
        this.#underWay.delete(id);
        if (retryable) {
            this.#resumeAt = Math.max(this.#resumeAt, performance.now() + retry_after * 1000);
            if (this.isMessage(id))
                this.#outbox.putBack(id);
            else
                this.#requests.putBack(id);
        }
        else
            this.#refuse(id, refusal(problem));
        this.#pump();
    }
    /** Nothing will be sent any more. */
    close(error) {
        this.lost();
        this.#outbox.rejectAll(error);
        this.#requests.rejectAll(error);
    }
    #pump() {
        if (!this.#delivery || this.#timer !== undefined)
            return;
        const { limits, pace, send } = this.#delivery;
        while (this.#underWay.size < WINDOW) {
            const wait = Math.max(this.#resumeAt - performance.now(), pace.wait);
            if (wait > 0) {
                this.#timer = setTimeout(() => {
                    this.#timer = undefined;
                    this.#pump();
                }, wait);
                return;
            }
            const frame = this.#next();
            if (!frame)
                return;
            const error = refusalOf(frame, limits);
            if (error)
                this.#refuse(frame.id, error);
            else {
                pace.spend();
                this.#underWay.add(frame.id);
                send(frame);
            }
        }
    }
    #next() {
        const asked = this.#requests.take();
        if (asked)
            return asked;
        const entry = this.#outbox.take();
        return entry && { type: 'send', id: entry.client_id, ...entry };
    }
    #refuse(id, error) {
        if (this.isMessage(id))
            this.#onAnswer.refused(this.#outbox.refuse(id, error), error);
        else
            this.#requests.refuse(id, error);
    }
}
/** Code points, as the server counts. */
const characters = (text) => Array.from(text).length;
const bytes = (value) => new TextEncoder().encode(JSON.stringify(value)).length;
const isClientId = (text) => text.length <= clientIdRule.maxLength && new RegExp(clientIdRule.pattern).test(text);
/**
 * What is certain to be refused does not go: a frame that is too large ends the connection, ten bad ones do, and the
 * server can't name a frame whose id is too long, which would wait for its answer for ever.
 */
const refusalOf = (frame, limits) => {
    const { max_message_length, max_metadata_bytes, max_frame_bytes } = limits;
    if ('client_id' in frame && frame.client_id !== undefined && !isClientId(frame.client_id))
        return invalid(`/client_id is not 1 to ${clientIdRule.maxLength} printable ASCII characters`);
    if ('content' in frame && frame.content === '')
        return invalid('/content is empty');
    if ('content' in frame &&
        frame.content.length > max_message_length &&
        characters(frame.content) > max_message_length)
        return invalid(`/content is longer than ${max_message_length} characters`);
    if ('metadata' in frame && frame.metadata && bytes(frame.metadata) > max_metadata_bytes)
        return invalid(`/metadata is larger than ${max_metadata_bytes} bytes of JSON`);
    if (bytes(frame) > max_frame_bytes)
        return new MessengerError('PAYLOAD_TOO_LARGE', `The frame is larger than ${max_frame_bytes} bytes.`);
    return undefined;
};
const invalid = (detail) => new MessengerError('VALIDATION_FAILED', detail);
