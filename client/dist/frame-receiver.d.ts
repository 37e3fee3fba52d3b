import type { EventStream } from './event-stream.js';
import type { PresenceWatch } from './presence-watch.js';
import type { Profiles } from './profiles.js';
import type { ReconnectingSocket } from './reconnecting-socket.js';
import type { SendQueue } from './send-queue.js';
import type { StorageWriter } from './storage-writer.js';
import type { Hello, ServerFrame } from './types.js';
type Options = {
    events: EventStream;
    sendQueue: SendQueue;
    presenceWatch: PresenceWatch;
    profiles: Profiles;
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
