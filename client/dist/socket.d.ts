import type { ClientFrame, ServerFrame } from './types.ts';
/** What is used of a WebSocket: the global one, or that of `ws`. */
export type WebSocketLike = {
    send(data: string): void;
    close(code?: number, reason?: string): void;
    /** Of `ws`: ends the connection without a word. */
    terminate?(): void;
    addEventListener(type: 'message' | 'close' | 'error', listener: (event: any) => void): void;
};
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;
export type SocketEnd = {
    /** 1006 where the other side said nothing. */
    code: number;
    /** Whether it got as far as `hello`. */
    wasOpen: boolean;
};
type SocketOptions = {
    url: string;
    token: string;
    cursor: string | undefined;
    WebSocket: WebSocketConstructor;
    /** Milliseconds in which `hello` must come. */
    timeout: number;
    onFrame: (frame: ServerFrame) => void;
    onEnd: (end: SocketEnd) => void;
};
/** One connection of `messenger.v1`: its handshake, its heartbeat and its end, which is told once. */
export declare class Socket {
    #private;
    constructor({ url, token, cursor, WebSocket, timeout, onFrame, onEnd }: SocketOptions);
    send(frame: ClientFrame): void;
    /** For a connection that is no longer believed in: nothing that it still brings counts. */
    abandon(): void;
    /** Asks whether the other side is still there: if it is silent for five seconds, the connection is given up. */
    check(): void;
    /** Says goodbye. Resolves when the other side has answered, or had its time to. */
    close(): Promise<void>;
}
export {};
