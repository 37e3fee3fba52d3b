import { MessengerError } from './error.js';
import type { Events, State } from './events.js';
import type { SessionManager } from './session-manager.js';
import { type WebSocketConstructor } from './socket.js';
import type { ClientFrame, ServerFrame } from './types.js';
type Options = {
    url: string;
    /** `undefined` if the runtime has none. */
    WebSocket: WebSocketConstructor | undefined;
    /** Milliseconds between attempts: a random part of `min`, which doubles with each failure up to `max`. */
    backoff: {
        min: number;
        max: number;
    };
    /** Milliseconds until a new connection must have received `hello`. */
    timeout: number;
    session: SessionManager;
    /** Returns the cursor at which the next connection resumes the stream. */
    cursor: () => string | undefined;
    /** Called after the login and before each connection. If it throws, that connection is not opened. */
    beforeConnect: () => void;
    onFrame: (frame: ServerFrame) => void;
    onDisconnect: () => void;
    onState: (event: Events['state']) => void;
};
/**
 * Keeps a connection open: after each loss it opens the next socket, by the reconnect rule of the close code. It stops
 * at `close()`, or at an error that a retry cannot solve.
 */
export declare class ReconnectingSocket {
    #private;
    state: State;
    constructor(options: Options);
    get isOpen(): boolean;
    /**
     * Starts to connect. If the client waits for its next attempt, it makes the attempt at once.
     * @returns a promise that resolves with the first `hello` of a stream that starts at the current cursor
     * @throws MessengerError if a retry cannot succeed, or after `close()`
     */
    connect(): Promise<void>;
    /** Sends a frame. Drops it without a connection. */
    send(frame: ClientFrame): void;
    setState(state: State, details?: Omit<Events['state'], 'type' | 'state'>): void;
    /** Ends the connection, if there is one, and makes no further attempt before the next `connect()`. */
    stop(error: MessengerError): void;
    /** Closes the connection for good. @param error rejects all pending and later calls of `connect()`. */
    close(error: MessengerError): Promise<void>;
}
export {};
