import type { EventStream } from './event-stream.ts';
import type { PresenceWatch } from './presence-watch.ts';
import type { ReconnectingSocket } from './reconnecting-socket.ts';
import type { SendQueue } from './send-queue.ts';
import type { StorageWriter } from './storage-writer.ts';
import type { Hello, ServerFrame } from './types.ts';
type Options = {
    events: EventStream;
    sendQueue: SendQueue;
    presenceWatch: PresenceWatch;
    storage: StorageWriter;
    /** Returns the socket that the frames come from. */
    socket: () => ReconnectingSocket;
};
/** Turns the frames of the server into events: follows the cursor, and emits each message exactly once. */
export declare class FrameReceiver {
    #private;
    constructor(options: Options);
    /** The position in the stream: all events up to it were received. */
    get cursor(): string | undefined;
    /** The `hello` of the last connection. */
    get hello(): Hello | undefined;
    /** Makes the next connection resume at `cursor`. */
    resumeAt(cursor: string | undefined): void;
    disconnected(): void;
    /** Handles a frame. Ignores types that this version does not know. */
    receive(frame: ServerFrame): void;
}
export {};
