import { MessengerError } from './error.js';
import type { ClientFrame, Limits } from './types.js';
/**
 * Finds what the server is certain to refuse, so that it is not sent: the server closes the socket after one frame
 * that is too large or ten invalid ones, and its error frame cannot carry a request id that is too long.
 * @param limits of the `hello` frame
 * @returns the error `VALIDATION_FAILED` or `PAYLOAD_TOO_LARGE`, or `undefined` for a frame that may be sent
 */
export declare const checkFrame: (frame: ClientFrame, limits: Limits) => MessengerError | undefined;
