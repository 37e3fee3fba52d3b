/** A request that the server refused, or a failure of the client itself. */
export class MessengerError extends Error {
    name = 'MessengerError';
    /** The code of `problem` if there is one; else a `ClientErrorCode`. */
    code;
    /** The HTTP status of `problem`. */
    status;
    /** The problem details (RFC 9457) that the server sent. */
    problem;
    /** Whether the same call may succeed later. */
    retryable;
    /** Seconds to wait before a retry, if the server said so. */
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
/** @returns the error for problem details that the server sent */
export const errorFromProblem = (problem, details = {}) => new MessengerError(problem.code, problem.detail, { ...details, problem });
/** @returns `cause` if it is a `MessengerError`; else an error `INTERNAL` with this cause */
export const asMessengerError = (cause) => cause instanceof MessengerError
    ? cause
    : new MessengerError('INTERNAL', `Unexpected error in the client or in an object passed to it: ${cause.message}`, { cause });
//# sourceMappingURL=error.js.map