import { type MessengerError } from './error.js';
import type { ClientFrame, FrameOf, Limits, Message, OutboxEntry } from './types.js';
type Ack = FrameOf<'ack'>;
export type SendQueueListener = {
    /** The server stored a message. */
    onSent: (client_id: string, message: Message) => void;
    /** A message was refused for good. It is no longer in the queue. */
    onRejected: (entry: OutboxEntry, error: MessengerError) => void;
};
/**
 * Sends messages and other requests over the current connection, and repeats them over the next one until the server
 * replies. A repeat is harmless: the server detects a repeated message by its `client_id`, and the other requests have
 * the same effect when they run twice. The messages of one conversation are sent one at a time, in the order of
 * `add()`. So are the requests that change one message. Only messages outlive the process, in the storage.
 */
export declare class SendQueue {
    #private;
    constructor(listener: SendQueueListener);
    /** The messages without a reply, oldest first. */
    get entries(): readonly OutboxEntry[];
    /** Adds a message. It is not sent before `markStored()`. @returns the stored message. */
    add(entry: OutboxEntry): Promise<Message>;
    /** Allows a message to be sent: the storage has it. */
    markStored(client_id: string): void;
    /**
     * Sends a request that is not a message, under a new request id.
     * @returns the `ack` of the server
     * @throws MessengerError with the server's problem, or the error of `close()`
     */
    request(frame: ClientFrame): Promise<Ack>;
    /** @returns whether the request id is the `client_id` of a message in this queue */
    isMessage(id: string | undefined): id is string;
    /** Learns that `peer` and `conversation_id` address the same direct conversation. Ignores a group: no `peer`. */
    linkConversation(peer: string | undefined, conversation_id: number): void;
    /** Starts sending. @param send sends a frame over the connection that has just opened. */
    connected(limits: Limits, send: (frame: ClientFrame) => void): void;
    /** Stops sending. Queues all frames without a reply again. */
    disconnected(): void;
    handleAck(ack: Ack): void;
    handleError({ id, retryable, retry_after, problem }: FrameOf<'error'>): void;
    /** Removes a message or another request and rejects its promise. Ignores an unknown id. */
    reject(id: string, error: MessengerError): void;
    /** Stops for good and rejects all promises. `entries` keeps the messages that were not sent. */
    close(error: MessengerError): void;
}
export {};
