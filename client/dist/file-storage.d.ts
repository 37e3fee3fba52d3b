import type { MessengerStorage } from './storage.ts';
/**
 * For Node.js: a file of lines, each a change. It outlives the process; a power loss may take the last changes.
 * @param path of the file, which is made; one process at a time uses it.
 * @returns a storage
 */
export declare const fileStorage: (path: string) => MessengerStorage;
