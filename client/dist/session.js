import { MessengerError } from "./error.js";
import { unwrap } from "./http.js";
/** The parts of its life after which a token is renewed, and after which that is tried again. */
const RENEW_AFTER = 0.75;
const RETRY_AFTER = 0.05;
/** The longest that a timer can wait. */
const MAX_TIMER = 2 ** 31 - 1;
/** The token: where it comes from, and when the next one is due. */
export class SessionKeeper {
    current;
    #api;
    #options;
    /** Milliseconds that the token lives; a guess for one that was given, which is renewed at once. */
    #life = 60_000;
    /** By this machine's clock; the server's may say another time. */
    #renewAt = Date.now();
    constructor(api, options) {
        this.#api = api;
        this.#options = options;
        this.current = options.session;
    }
    /** Milliseconds until the token is to be renewed. */
    get renewIn() {
        return Math.min(Math.max(0, this.#renewAt - Date.now()), MAX_TIMER);
    }
    /** @returns the session that there is, else a new one */
    async ensure() {
        return this.current ?? this.#logIn();
    }
    /**
     * Takes a fresh token for the one that there is, or logs in again where that one has ended and the name is known.
     * @throws MessengerError `SIGNED_OUT` where it is not; what `login` throws
     */
    async renew() {
        this.#renewAt = Date.now() + this.#life * RETRY_AFTER;
        try {
            return this.#accept(await unwrap(this.#api.POST('/token', { signal: this.#options.signal() })));
        }
        catch (error) {
            if (!isUnauthorized(error))
                throw error;
            this.current = undefined;
            return this.#logIn();
        }
    }
    /** Renews the token if the server no longer accepts it. @returns whether it was accepted */
    async check() {
        try {
            await unwrap(this.#api.GET('/users/me', { signal: this.#options.signal() }));
            return true;
        }
        catch (error) {
            if (!isUnauthorized(error))
                throw error;
            await this.renew();
            return false;
        }
    }
    async #logIn() {
        const { credentials, signal } = this.#options;
        if (!credentials) {
            const message = this.#options.session
                ? 'The session has ended: log in again.'
                : 'There is nobody to log in: pass `username`, or the `session` that login() gave.';
            throw new MessengerError('SIGNED_OUT', message);
        }
        return this.#accept(await unwrap(this.#api.POST('/login', { body: credentials, signal: signal() })));
    }
    #accept(session) {
        if (typeof session.token !== 'string') {
            throw new MessengerError('NETWORK', 'The reply has no token: `url` is not that of a Messenger server.');
        }
        this.current = session;
        this.#life = lifetime(session);
        this.#renewAt = Date.now() + this.#life * RENEW_AFTER;
        this.#options.onSession(session);
        return session;
    }
}
const isUnauthorized = (error) => error instanceof MessengerError && error.code === 'UNAUTHORIZED';
/** @returns milliseconds, by what the token says of itself (RFC 7519): unlike `expires_at` that needs no common clock. */
const lifetime = ({ token }) => {
    const payload = token.split('.')[1];
    const { iat, exp } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    return (exp - iat) * 1000;
};
