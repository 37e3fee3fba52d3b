import { type Client } from 'openapi-fetch';
import type { paths } from './generated/openapi.js';
import type { Session } from './types.js';
export type Fetch = (request: Request) => Promise<Response>;
/** All HTTP calls, typed by the OpenAPI document of the server. */
export type Api = Client<paths, `${string}/${string}`>;
/**
 * Creates the HTTP calls. They throw `MessengerError` `NETWORK` instead of the errors of `fetch`.
 * @param url a result of `serverUrl()`
 * @param tokens of the calls, except of those with an `authorization` of their own
 */
export declare const createApi: (url: string, fetch: Fetch, tokens?: Tokens) => Api;
export type Tokens = {
    /** Returns the token for the next call, if there is one. */
    current: () => string | undefined | Promise<string | undefined>;
    /** Returns another token for a call whose token the server refused. Without it, such a call fails. */
    replace?: ((refused: string) => Promise<string>) | undefined;
};
type Reply<T> = {
    data?: T;
    error?: unknown;
    response: Response;
};
/**
 * Waits for a call of `api`.
 * @returns the data of the reply
 * @throws MessengerError with the problem that the server sent, or `NETWORK`
 */
export declare const unwrap: <T>(call: Promise<Reply<T>>) => Promise<T>;
export type Credentials = {
    username: string;
    password?: string | undefined;
};
/**
 * Logs in. In the server's open mode, the login with a new name creates the account.
 * @param url the address of the server
 * @returns the session: pass it to `new Messenger({ session })`
 * @throws MessengerError `PASSWORD_REQUIRED`, `INVALID_CREDENTIALS`, `RATE_LIMITED`, `INVALID_OPTION`, `NETWORK` and
 *   other codes of the server
 */
export declare const login: (url: string, credentials: Credentials, fetch?: Fetch) => Promise<Session>;
export declare const globalFetch: Fetch;
export {};
