import { type Api, type Credentials } from './http.ts';
import type { Session } from './types.ts';
type Options = {
    session: Session | undefined;
    credentials: Credentials | undefined;
    /** For one call. */
    signal: () => AbortSignal;
    onSession: (session: Session) => void;
};
/** The token: where it comes from, and when the next one is due. */
export declare class SessionKeeper {
    #private;
    current: Session | undefined;
    constructor(api: Api, options: Options);
    /** Milliseconds until the token is to be renewed. */
    get renewIn(): number;
    /** @returns the session that there is, else a new one */
    ensure(): Promise<Session>;
    /**
     * Takes a fresh token for the one that there is, or logs in again where that one has ended and the name is known.
     * @throws MessengerError `SIGNED_OUT` where it is not; what `login` throws
     */
    renew(): Promise<Session>;
    /** Renews the token if the server no longer accepts it. @returns whether it was accepted */
    check(): Promise<boolean>;
}
export {};
