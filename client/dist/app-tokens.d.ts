import { MessengerError } from './error.js';
import { type Api } from './http.js';
import type { Session } from './types.js';
export type GetToken = () => string | Promise<string>;
type Options = {
    getToken: GetToken;
    api: Api;
    /** Milliseconds for one call of `getToken()`, and for one of the server. */
    timeout: number;
    /** Aborts when the client is closed. */
    closing: AbortSignal;
};
/** Gets tokens from the app, and asks the server whose they are. */
export declare class AppTokens {
    #private;
    constructor(options: Options);
    /**
     * @returns a session with a new token of the app
     * @throws MessengerError `NO_TOKEN` or `UNAUTHORIZED`, which are retryable, or `UNAUTHORIZED` for a second refused token in
     *   a row; `WRONG_USER` if the user is another one than before; a `MessengerError` that `getToken()` throws
     */
    next(): Promise<Session>;
}
export declare const isUnauthorized: (error: unknown) => error is MessengerError;
export {};
