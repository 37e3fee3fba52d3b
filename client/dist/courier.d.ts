import { MessengerError } from './error.ts';
import type { ClientFrame, FrameOf, Limits, Message, OutboxEntry } from './types.ts';
/** Told when a message of the outbox has its answer. */
export type OnAnswer = {
    sent: (client_id: string, message: Message) => void;
    refused: (entry: OutboxEntry, error: MessengerError) => void;
};
/** Takes what is to be sent to whatever connection there is, no faster than the server wants it, until it is answered. */
export declare class Courier {
    #private;
    constructor(onAnswer: OnAnswer);
    get entries(): readonly OutboxEntry[];
    /** Takes a message in; it goes once `kept` was called. */
    add(entry: OutboxEntry): Promise<Message>;
    kept(client_id: string): void;
    /** The storage would not take a message: it does not go. */
    notKept(client_id: string, error: MessengerError): void;
    /** Sends a frame that wants an answer. */
    ask(frame: ClientFrame): Promise<FrameOf<'ack'>>;
    isMessage(id: string | undefined): id is string;
    learn(peer: string | undefined, conversation_id: number): void;
    /** There is a connection. */
    open(limits: Limits, send: (frame: ClientFrame) => void): void;
    /** There is none any more. */
    lost(): void;
    acknowledged(ack: FrameOf<'ack'>): void;
    refused({ id, retryable, retry_after, problem }: FrameOf<'error'>): void;
    /** Nothing will be sent any more. */
    close(error: MessengerError): void;
}
