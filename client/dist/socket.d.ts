import type { ClientFrame, ServerFrame } from './types.js';
/** The part of the WebSocket interface that this client uses. The package `ws` and all browsers have it. */
export type WebSocketLike = {
    send(data: string): void;
    close(code?: number, reason?: string): void;
    /** Only in `ws`: closes the TCP connection without a closing handshake. */
    terminate?(): void;
    addEventListener(type: 'message' | 'close' | 'error', listener: (event: any) => void): void;
};
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;
export type SocketEnd = {
    /** The close code; 1006 if the other side sent none. */
    code: number;
    /** Whether `hello` was received. */
    wasOpen: boolean;
};
type SocketOptions = {
    url: string;
    token: string;
    cursor: string | undefined;
    WebSocket: WebSocketConstructor;
    /** Milliseconds until `hello` must have come. */
    timeout: number;
    onFrame: (frame: ServerFrame) => void;
    /** Called exactly once. No `onFrame` follows. */
    onEnd: (end: SocketEnd) => void;
};
/** One WebSocket connection of the subprotocol `messenger.v1`: its handshake, its heartbeat and its end. */
export declare class Socket {
    #private;
    /** @throws MessengerError `INVALID_OPTION` if the runtime refuses the URL, the token or the constructor. */
    constructor({ url, token, cursor, WebSocket, timeout, onFrame, onEnd }: SocketOptions);
    /** Sends a frame. Does nothing after the end of the connection. */
    send(frame: ClientFrame): void;
    /** Ends the connection at once, without a closing handshake. Later frames are ignored. */
    terminate(): void;
    /**
     * Sends a ping. Terminates the connection if nothing is received within 5 seconds, or one heartbeat if that is less.
     */
    probe(): void;
    /** Ends the connection with a closing handshake. Resolves after the reply, or after 1 second without one. */
    close(): Promise<void>;
}
export {};
