import { MessengerError } from './error.js';
import { type Api, type Credentials } from './http.js';
import type { Session } from './types.js';
type Options = {
    /** A result of `login()`, if the app has one. */
    session: Session | undefined;
    /** For a login without a session, or after it has ended. */
    credentials: Credentials | undefined;
    /** Returns a signal that limits the time of one call. */
    signal: () => AbortSignal;
    onSession: (session: Session) => void;
};
/** Gets the session by a login, renews its token, and knows when the next renewal is due. */
export declare class SessionManager {
    #private;
    current: Session | undefined;
    constructor(api: Api, options: Options);
    /** @returns the current session, or that of a new login. @throws MessengerError as `renew()`. */
    ensure(): Promise<Session>;
    /**
     * Exchanges the token for a new one. If the server no longer accepts it, logs in again.
     * @throws MessengerError `SIGNED_OUT` if a login is necessary and there are no credentials; the errors of `login()`
     */
    renew(): Promise<Session>;
    /**
     * Renews the token each time it is due. Retries a renewal that failed for now.
     * @param onToken receives each new token.
     * @param onError receives the error of a renewal that a retry cannot solve. No further renewal follows.
     * @returns a function that ends the renewals
     */
    keepRenewed(onToken: (token: string) => void, onError: (error: MessengerError) => void): () => void;
    /** Renews the token if the server no longer accepts it. @returns whether it still accepted the token. */
    verify(): Promise<boolean>;
}
export {};
