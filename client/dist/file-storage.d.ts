import type { MessengerStorage } from './storage.js';
/**
 * A storage for Node.js: a file with one change per line, as JSON. It outlives the process. After a power loss the last
 * changes may be missing.
 * @param path of the file. It is created if it does not exist. Only one process at a time may use it.
 */
export declare const fileStorage: (path: string) => MessengerStorage;
