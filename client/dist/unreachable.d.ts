import { MessengerError } from './error.ts';
/**
 * @param url that was called
 * @param cause what `fetch` threw
 * @returns the error for a call without a reply: what is wrong, and what to try
 */
export declare const unreachable: (url: string, cause: unknown) => MessengerError;
