import { type Client } from 'openapi-fetch';
import type { paths } from './generated/openapi.ts';
import type { Session } from './types.ts';
export type Fetch = (request: Request) => Promise<Response>;
/** Every HTTP call, typed from the server's OpenAPI document. */
export type Api = Client<paths, `${string}/${string}`>;
/**
 * @param url of `serverUrl()`
 * @returns the calls; each goes out with the token that there is then. What `fetch` throws becomes `NETWORK`.
 */
export declare const createApi: (url: string, fetch: Fetch, token: () => string | undefined) => Api;
type Reply<T> = {
    data?: T;
    error?: unknown;
    response: Response;
};
/**
 * For a call of `api`.
 * @returns the data of its reply
 * @throws MessengerError with the server's problem, or `NETWORK`
 */
export declare const unwrap: <T>(call: Promise<Reply<T>>) => Promise<T>;
export type Credentials = {
    username: string;
    password?: string | undefined;
};
/**
 * Logs in; in the server's open mode that makes the account where there is none.
 * @param url the server's address
 * @throws MessengerError `PASSWORD_REQUIRED`, `INVALID_CREDENTIALS`, `RATE_LIMITED`, `INVALID_OPTION`, …
 */
export declare const login: (url: string, credentials: Credentials, fetch?: Fetch) => Promise<Session>;
export declare const globalFetch: Fetch;
export {};
