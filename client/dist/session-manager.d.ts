import { type AppTokens } from './app-tokens.js';
import { MessengerError } from './error.js';
import { type Api, type Credentials } from './http.js';
import type { Session } from './types.js';
type Options = {
    /** A result of `login()`, if the app has one. */
    session: Session | undefined;
    /** For a login without a session, or after it has ended. */
    credentials: Credentials | undefined;
    /** In place of both: the tokens of the app. */
    appTokens: AppTokens | undefined;
    /** Returns a signal that limits the time of one call. */
    signal: () => AbortSignal;
    onSession: (session: Session) => void;
};
/** Gets the session by a login or from the app, renews its token, and knows when the next renewal is due. */
export declare class SessionManager {
    #private;
    current: Session | undefined;
    constructor(api: Api, options: Options);
    /** @returns the current session, or that of a new login. @throws MessengerError as `renew()`. */
    ensure(): Promise<Session>;
    /**
     * Exchanges the token for a new one, or gets one from the app. If the server no longer accepts a token that it issued, logs
     * in again. Calls at the same time share one renewal.
     * @throws MessengerError `SIGNED_OUT` if a login is necessary and there are no credentials; the errors of `login()`, or of
     *   `AppTokens`
     */
    renew(): Promise<Session>;
    /** Renews a token that the server refused. It is not used again if that fails. */
    replace(): Promise<Session>;
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
