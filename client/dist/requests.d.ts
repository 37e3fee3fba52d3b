import type { MessengerError } from './error.ts';
import type { ClientFrame, FrameOf } from './types.ts';
type Ack = FrameOf<'ack'>;
export type Asked = ClientFrame & {
    id: string;
};
/**
 * Frames that are no messages and want an answer. They may be done twice without harm, so after a lost connection
 * they go again; unlike messages they end with this process. What changes one message is in a lane, of which only the
 * first is under way: the server may refuse an edit for now and take the next one, and the older would come last.
 */
export declare class Requests {
    #private;
    ask(frame: ClientFrame): Promise<Ack>;
    /** @returns the next frame that may go; it is under way from now on */
    take(): Asked | undefined;
    accept(ack: Ack): void;
    refuse(id: string, error: MessengerError): void;
    /** A frame was not taken for now. */
    putBack(id: string): void;
    /** The connection is lost: whatever was under way goes again, in its order. */
    putAllBack(): void;
    rejectAll(error: MessengerError): void;
}
export {};
