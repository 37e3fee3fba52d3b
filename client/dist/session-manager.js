import { asMessengerError, MessengerError } from "./error.js";
import { unwrap } from "./http.js";
/** The fraction of its lifetime after which a token is renewed. */
const RENEW_AFTER = 0.75;
/** The fraction of its lifetime after which a failed renewal is retried. */
const RETRY_AFTER = 0.05;
/** The longest delay of `setTimeout`, in milliseconds. */
const MAX_TIMER = 2 ** 31 - 1;
/** Gets the session by a login, renews its token, and knows when the next renewal is due. */
export class SessionManager {
    current;
    #api;
    #options;
    /** Lifetime of the token in milliseconds. That of a session from the options is unknown until its first renewal. */
    #lifetime = 60_000;
    /** By the clock of this machine, which may differ from the clock of the server. */
    #renewAt = Date.now();
    constructor(api, options) {
        this.#api = api;
        this.#options = options;
        this.current = options.session;
    }
    /** @returns the current session, or that of a new login. @throws MessengerError as `renew()`. */
    async ensure() {
        return this.current ?? this.#logIn();
    }
    /**
     * Exchanges the token for a new one. If the server no longer accepts it, logs in again.
     * @throws MessengerError `SIGNED_OUT` if a login is necessary and there are no credentials; the errors of `login()`
     */
    async renew() {
        this.#renewAt = Date.now() + this.#lifetime * RETRY_AFTER;
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
    /**
     * Renews the token each time it is due. Retries a renewal that failed for now.
     * @param onToken receives each new token.
     * @param onError receives the error of a renewal that a retry cannot solve. No further renewal follows.
     * @returns a function that ends the renewals
     */
    keepRenewed(onToken, onError) {
        let timer;
        let isEnded = false;
        const renew = async () => {
            try {
                const { token } = await this.renew();
                if (!isEnded)
                    onToken(token);
            }
            catch (cause) {
                const error = asMessengerError(cause);
                if (!error.retryable) {
                    onError(error);
                    return;
                }
            }
            if (!isEnded)
                schedule();
        };
        const schedule = () => {
            const wait = Math.min(Math.max(0, this.#renewAt - Date.now()), MAX_TIMER);
            timer = setTimeout(() => void renew(), wait);
        };
        schedule();
        return () => {
            isEnded = true;
            clearTimeout(timer);
        };
    }
    /** Renews the token if the server no longer accepts it. @returns whether it still accepted the token. */
    async verify() {
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
                ? 'The session has ended. Log in again.'
                : 'There is no account to log in to. Pass `username`, or a `session` that login() returned.';
            throw new MessengerError('SIGNED_OUT', message);
        }
        return this.#accept(await unwrap(this.#api.POST('/login', { body: credentials, signal: signal() })));
    }
    #accept(session) {
        if (typeof session.token !== 'string') {
            throw new MessengerError('NETWORK', 'The reply to the login has no token. Check that `url` is the address of a Messenger server.');
        }
        this.current = session;
        this.#lifetime = lifetimeOf(session);
        this.#renewAt = Date.now() + this.#lifetime * RENEW_AFTER;
        this.#options.onSession(session);
        return session;
    }
}
const isUnauthorized = (error) => error instanceof MessengerError && error.code === 'UNAUTHORIZED';
/**
 * @returns the lifetime of the token in milliseconds, from its own claims `iat` and `exp` (RFC 7519). Unlike
 *   `expires_at`, their difference does not depend on the clock of this machine.
 */
const lifetimeOf = ({ token }) => {
    const payload = token.split('.')[1];
    const { iat, exp } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    return (exp - iat) * 1000;
};
//# sourceMappingURL=session-manager.js.map