import type { MessengerError } from './error.ts';
import type { ClientFrame, FrameOf } from './types.ts';
type Ack = FrameOf<'ack'>;
/**
 * Frames that are no messages and want an answer. They may be done twice without harm, so after a lost connection
 * they go again; unlike messages they end with this process.
 */
export declare class Requests {
    #private;
    ask(frame: ClientFrame): Promise<Ack>;
    /** @returns the next frame that may go */
    take(): (ClientFrame & {
        id: string;
    }) | undefined;
    /** @returns the frame that was answered, if it is one of these */
    typeOf(id: string): ClientFrame['type'];
    accept(id: string, ack: Ack): void;
    refuse(id: string, error: MessengerError): void;
    /** A frame was not taken for now. */
    putBack(id: string): void;
    /** The connection is lost: whatever was under way goes again, in its order. */
    putAllBack(): void;
    rejectAll(error: MessengerError): void;
}
export {};
