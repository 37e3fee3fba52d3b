import type { Events } from './events.js';
import { type Api } from './http.js';
import type { Profile, User } from './types.js';
/**
 * The profiles of users, by username. Look-ups made in one turn share a request for up to 100 names. The last 5,000 profiles
 * stay in memory: `user` frames replace them, and after a reconnection they are looked up again, because the server does
 * not repeat these frames.
 */
export declare class Profiles {
    #private;
    /** @param timeout milliseconds for one request */
    constructor(api: Api, timeout: number, onChange: (event: Events['profile']) => void);
    /**
     * @returns the profile of a user; empty if the user has set nothing, or there is no such account
     * @throws MessengerError if the look-up fails
     */
    get(username: string): Promise<Profile>;
    /**
     * For views that cannot wait.
     * @returns the profile as far as the client knows it; else empty. It looks up what it does not know, and then the event
     *   `profile` comes
     */
    peek(username: string): Profile;
    /** Adds a profile that an HTTP reply contained, for example a `peer_profile`, so that it needs no look-up. */
    set(username: string, profile?: Profile): void;
    /** @internal Takes the profile of a `user` frame. */
    receive({ username, profile }: User): void;
    /** @internal Looks up the profiles that were used last. The others are looked up when they are used. */
    reconnected(): void;
    /** @internal */
    close(error: Error): void;
}
