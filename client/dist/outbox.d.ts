import type { MessengerError } from './error.ts';
import type { Message, OutboxEntry } from './types.ts';
/**
 * Messages on their way, in a lane for each conversation: of a lane only the first is under way. Two under way would be
 * faster, but when the server refuses the first for now ("try again in 2 s") it may still take the second.
 */
export declare class Outbox {
    #private;
    get entries(): readonly OutboxEntry[];
    has(client_id: string): boolean;
    /**
     * Takes an entry in; it may go once `kept` was called.
     * @returns the message as it is stored: for a `client_id` that is here already, of that one
     */
    add(entry: OutboxEntry): Promise<Message>;
    /** An entry is in the storage. */
    kept(client_id: string): void;
    /** @returns the next message that may go; it is under way from now on */
    take(): OutboxEntry | undefined;
    /** A message that was under way is stored. */
    accept(client_id: string, message: Message): void;
    /** A message will not be stored, here or there. @returns what it was */
    refuse(client_id: string, error: MessengerError): OutboxEntry;
    /** A message that was under way was not taken for now. */
    putBack(client_id: string): void;
    /** The connection is lost: whatever was under way goes again. */
    putAllBack(): void;
    /** No answer will come any more: who waits is told. */
    rejectAll(error: MessengerError): void;
    /** A direct conversation can be named in two ways: by its peer and by its id. */
    learn(peer: string | undefined, conversation_id: number): void;
}
