import { isUnauthorized } from "./app-tokens.js";
import { asMessengerError, MessengerError } from "./error.js";
import { unwrap } from "./http.js";
import { claimsOf } from "./token-claims.js";
/** The fraction of its lifetime after which a token is renewed. */
const RENEW_AFTER = 0.75;
/** The fraction of its lifetime after which a failed renewal is retried. */
const RETRY_AFTER = 0.05;
/** The shortest lifetime, in milliseconds, that is assumed of a token of the app: one that ends sooner is renewed at its end. */
const MIN_LIFETIME = 4000;
/** The longest delay of `setTimeout`, in milliseconds. */
const MAX_TIMER = 2 ** 31 - 1;
/** Gets the session by a login or from the app, renews its token, and knows when the next renewal is due. */
export class SessionManager {
    current;
    #api;
    #options;
    /** Lifetime of the token in milliseconds. That of a session from the options is unknown until its first renewal. */
    #lifetime = 60_000;
    /** By the clock of this machine, which may differ from the clock of the server. */
    #renewAt = Date.now();
    #renewing;
    /** The server refused the token, or `getToken()` returned none or one of another user. */
    #isRefused = false;
    constructor(api, options) {
        this.#api = api;
        this.#options = options;
        this.current = options.session;
    }
    /** @returns the current session, or that of a new login. @throws MessengerError as `renew()`. */
    async ensure() {
        if (this.current && !this.#isRefused)
            return this.current;
        return this.current || this.#options.appTokens ? this.renew() : this.#logIn();
    }
    /**
     * Exchanges the token for a new one, or gets one from the app. If the server no longer accepts a token that it issued, logs
     * in again. Calls at the same time share one renewal.
     * @throws MessengerError `SIGNED_OUT` if a login is necessary and there are no credentials; the errors of `login()`, or of
     *   `AppTokens`
     */
    renew() {
        this.#renewing ??= this.#renew().finally(() => {
            this.#renewing = undefined;
        });
        return this.#renewing;
    }
    /** Renews a token that the server refused. It is not used again if that fails. */
    replace() {
        this.#isRefused = true;
        return this.renew();
    }
    async #renew() {
        this.#renewAt = Date.now() + this.#lifetime * RETRY_AFTER;
        if (this.#options.appTokens)
            return this.#getFromApp(this.#options.appTokens);
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
            const headers = { authorization: `Bearer ${this.current?.token}` };
            await unwrap(this.#api.GET('/users/me', { headers, signal: this.#options.signal() }));
            return true;
        }
        catch (error) {
            if (!isUnauthorized(error))
                throw error;
            await this.replace();
            return false;
        }
    }
    async #logIn() {
        const { credentials, signal } = this.#options;
        if (!credentials) {
            const message = this.#options.session
                ? 'The session has ended. Log in again.'
                : 'There is no account to log in to. Pass `username`, `getToken`, or a `session` that login() returned.';
            throw new MessengerError('SIGNED_OUT', message);
        }
        return this.#accept(await unwrap(this.#api.POST('/login', { body: credentials, signal: signal() })));
    }
    async #getFromApp(tokens) {
        try {
            return this.#accept(await tokens.next());
        }
        catch (error) {
            // The app has another user now, or none. The token in use belongs to the user before.
            if (!asMessengerError(error).retryable)
                this.#isRefused = true;
            throw error;
        }
    }
    #accept(session) {
        if (typeof session.token !== 'string') {
            throw new MessengerError('NETWORK', 'The reply to the login has no token. Check that `url` is the address of a Messenger server.');
        }
        this.current = session;
        this.#isRefused = false;
        this.#lifetime = this.#options.appTokens ? remainingOf(session) : lifetimeOf(session);
        this.#renewAt = Date.now() + this.#lifetime * RENEW_AFTER;
        this.#options.onSession(session);
        return session;
    }
}
/**
 * @returns the lifetime of a new token in milliseconds, from its own claims `iat` and `exp` (RFC 7519). Unlike
 *   `expires_at`, their difference does not depend on the clock of this machine.
 */
const lifetimeOf = ({ token }) => {
    const { iat, exp } = claimsOf(token);
    return (exp - iat) * 1000;
};
/**
 * @returns milliseconds until the end of a token that the server accepts, and that the app may have stored for a while. If
 *   the clock of this machine says that the token has ended, the clock is wrong.
 */
const remainingOf = ({ token }) => {
    const now = Date.now() / 1000;
    const { iat = now, exp } = claimsOf(token);
    const [remaining, lifetime] = [(exp - now) * 1000, (exp - iat) * 1000];
    return Math.max(MIN_LIFETIME, remaining > 0 ? Math.min(remaining, lifetime) : lifetime);
};
//# sourceMappingURL=session-manager.js.map