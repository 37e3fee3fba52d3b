/** What the server refused, or what ended this client; `code` is the server's, or one of ours. */
export class MessengerError extends Error {
    name = 'MessengerError';
    /** A code of the server's errors, where there is a `problem`; else one of `ClientErrorCode`. */
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
/** @returns the error for a problem that the server told */
export const refusal = (problem, details = {}) => new MessengerError(problem.code, problem.detail, { ...details, problem });
