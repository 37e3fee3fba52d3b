/** What the server refused, or what ended this client; `code` is the server's, or one of ours. */
export class MessengerError extends Error {
    name = 'MessengerError';
    /** A code of the server's errors; `CLOSED`, `SIGNED_OUT` or `NETWORK` where the server said nothing. */
    code;
    status;
    problem;
    /** Whether the same thing may work later. */
    retryable;
    /** Seconds after which it may. */
    retryAfter;
    constructor(code, message, details = {}) {
        super(message, { cause: details.cause });
        this.code = code;
        this.status = details.problem?.status;
        this.problem = details.problem;
        this.retryable = details.retryable ?? false;
        this.retryAfter = details.retryAfter;
    }
}
