import { MessengerError } from './error.js';
/**
 * @param url of the call that got no reply
 * @param cause the error that `fetch` threw
 * @returns a retryable error `NETWORK`, whose message says what is wrong and what to check
 */
export declare const networkError: (url: string, cause: unknown) => MessengerError;
