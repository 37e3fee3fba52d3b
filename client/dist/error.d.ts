import type { Problem } from './types.ts';
/** What the server refused, or what ended this client; `code` is the server's, or one of ours. */
export declare class MessengerError extends Error {
    readonly name = "MessengerError";
    /** A code of the server's errors; `CLOSED`, `SIGNED_OUT` or `NETWORK` where the server said nothing. */
    readonly code: string;
    readonly status: number | undefined;
    readonly problem: Problem | undefined;
    /** Whether the same thing may work later. */
    readonly retryable: boolean;
    /** Seconds after which it may. */
    readonly retryAfter: number | undefined;
    constructor(code: string, message: string, details?: ErrorDetails);
}
type ErrorDetails = {
    problem?: Problem;
    retryable?: boolean;
    retryAfter?: number | undefined;
    cause?: unknown;
};
export {};
