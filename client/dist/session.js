import { MessengerError } from './error.js';
import { unwrap } from './http.js';
/** The part of its life after which a token is renewed. */
const RENEW_AFTER = 0.75;
/** The longest that a timer can wait. */
const MAX_TIMER = 2 ** 31 - 1;
/** The token: where it comes from, and when the next one is due. */
export class SessionKeeper {
    current;
    #api;
    #options;
    /** Milliseconds of this machine's clock; the server's may say another time. */
    #renewAt = 0;
    constructor(api, options) {
        this.#api = api;
        this.#options = options;
        if (options.session)
            this.#take(options.session, ageOf(options.session));
    }
    /** Milliseconds until the token is to be renewed. */
    get renewIn() {
        return Math.min(Math.max(0, this.#renewAt - Date.now()), MAX_TIMER);
    }
    /** @returns the session that there is, else a new one. */
    async ensure() {
        return this.current ?? this.#logIn();
    }
    /**
     * Takes a fresh token for the one that there is, or logs in again where that one has ended and the name is known.
     * @throws MessengerError `SIGNED_OUT` where it is not; what `login` throws
     */
    async renew() {
        try {
            return this.#accept(await unwrap(this.#api.POST('/token', {})));
        }
        catch (error) {
            if (!isUnauthorized(error))
                throw error;
            this.current = undefined;
            return this.#logIn();
        }
    }
    /** Asks the server whether the token is still good, and renews it where it is not. */
    async check() {
        try {
            await unwrap(this.#api.GET('/users/me', {}));
        }
        catch (error) {
            if (!isUnauthorized(error))
                throw error;
            await this.renew();
        }
    }
    async #logIn() {
        const { credentials } = this.#options;
        if (!credentials)
            throw new MessengerError('SIGNED_OUT', 'The session has ended: log in again.');
        return this.#accept(await unwrap(this.#api.POST('/login', { body: credentials })));
    }
    #accept(session) {
        this.#take(session, 0);
        this.#options.onSession(session);
        return session;
    }
    #take(session, age) {
        this.current = session;
        this.#renewAt = Date.now() + lifetimeOf(session) * RENEW_AFTER - age;
    }
}
const isUnauthorized = (error) => error instanceof MessengerError && error.code === 'UNAUTHORIZED';
/** @returns what the token says of itself (RFC 7519): unlike `expires_at` it does not need clocks to agree. */
const claimsOf = ({ token }) => {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(payload), (c) => c.charCodeAt(0))));
    return claims;
};
const lifetimeOf = (session) => {
    const { iat, exp } = claimsOf(session);
    return (exp - iat) * 1000;
};
/** @returns milliseconds; of a token from the future, whose age can't be told, all of them. */
const ageOf = (session) => {
    const age = Date.now() - claimsOf(session).iat * 1000;
    return age < 0 ? lifetimeOf(session) : age;
};
