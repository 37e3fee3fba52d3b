import { MessengerError } from './error.ts';
import type { Events, State } from './events.ts';
import type { SessionKeeper } from './session.ts';
import { type WebSocketConstructor } from './socket.ts';
import type { ClientFrame, ServerFrame } from './types.ts';
type Options = {
    url: string;
    /** Absent where the runtime has none. */
    WebSocket: WebSocketConstructor | undefined;
    backoff: {
        min: number;
        max: number;
    };
    timeout: number;
    session: SessionKeeper;
    /** Where the stream goes on. */
    cursor: () => string | undefined;
    /** Called before each connection, when there is a session. */
    prepare: () => void;
    onFrame: (frame: ServerFrame) => void;
    onLost: () => void;
    onState: (event: Events['state']) => void;
};
/** Stays connected: socket after socket, by the table of close codes, until there is no use in it or `close()`. */
export declare class Link {
    #private;
    state: State;
    constructor(options: Options);
    get isOpen(): boolean;
    /** @returns a promise for the next `hello`, at today's cursor. @throws MessengerError when no attempt would help */
    connect(): Promise<void>;
    /** Sends a frame, if there is a connection. */
    send(frame: ClientFrame): void;
    setState(state: State, details?: Omit<Events['state'], 'type' | 'state'>): void;
    /** Connects no more until `connect()` is called again. */
    stop(error: MessengerError): void;
    close(error: MessengerError): Promise<void>;
}
export {};
