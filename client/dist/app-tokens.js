import { errorFromProblem, MessengerError } from "./error.js";
import { unwrap } from "./http.js";
import { claimsOf } from "./token-claims.js";
/** Gets tokens from the app, and asks the server whose they are. */
export class AppTokens {
    #options;
    /** The user of the first token. */
    #user;
    /** The server refused the last token. */
    #wasRefused = false;
    constructor(options) {
        this.#options = options;
    }
    /**
     * @returns a session with a new token of the app
     * @throws MessengerError `NO_TOKEN` or `UNAUTHORIZED`, which are retryable, or `UNAUTHORIZED` for a second refused token in
     *   a row; `WRONG_USER` if the user is another one than before; a `MessengerError` that `getToken()` throws
     */
    async next() {
        const token = await this.#get();
        const expires_at = expiryOf(token);
        const user = await this.#userOf(token);
        this.#wasRefused = false;
        this.#user ??= user;
        if (user.id !== this.#user.id) {
            throw new MessengerError('WRONG_USER', `getToken() returned a token of ${user.username}, but this client belongs to ${this.#user.username}. ` +
                'Close it, and create a new Messenger for the other user.');
        }
        return { token, expires_at, user };
    }
    async #get() {
        const { getToken, timeout, closing } = this.#options;
        closing.throwIfAborted();
        let release;
        const ended = new Promise((_, reject) => {
            const onClose = () => reject(closing.reason);
            const late = `it did not settle within ${timeout} ms`;
            const timer = setTimeout(() => reject(new Error(late)), timeout);
            closing.addEventListener('abort', onClose);
            release = () => {
                clearTimeout(timer);
                closing.removeEventListener('abort', onClose);
            };
        });
        try {
            const token = await Promise.race([(async () => getToken())(), ended]);
            if (typeof token === 'string')
                return token.trim();
        }
        catch (cause) {
            if (cause instanceof MessengerError)
                throw cause;
            throw noToken(`getToken() failed: ${cause instanceof Error ? cause.message : String(cause)}. The client retries. If the user has ` +
                "logged out of the app, throw new MessengerError('SIGNED_OUT', …) instead.", cause);
        }
        finally {
            release?.();
        }
        throw new MessengerError('INVALID_OPTION', 'getToken() did not return a string. Return the token itself, for example ' +
            "getToken: () => fetch('/chat-token').then((reply) => reply.text()).");
    }
    async #userOf(token) {
        const { api, timeout } = this.#options;
        try {
            const { id, username, profile } = await unwrap(api.GET('/users/me', {
                headers: { authorization: `Bearer ${token}` },
                signal: AbortSignal.timeout(timeout),
            }));
            return { id, username, ...(profile && { profile }) };
        }
        catch (error) {
            if (!isUnauthorized(error))
                throw error;
            // The app may have returned a token that it had stored. The next one should be new.
            const retryable = !this.#wasRefused;
            this.#wasRefused = true;
            throw errorFromProblem(error.problem, { retryable, retryAfter: 1, cause: error });
        }
    }
}
/** @throws MessengerError `NO_TOKEN` if `token` is not a JSON Web Token, or has no `exp` */
const expiryOf = (token) => {
    try {
        return new Date(claimsOf(token).exp * 1000).toISOString();
    }
    catch (cause) {
        throw noToken('getToken() did not return a JSON Web Token with the claim `exp`. Check that the reply of your app is the token ' +
            'alone, and throw an error in getToken() if its status is not 200.', cause);
    }
};
export const isUnauthorized = (error) => error instanceof MessengerError && error.code === 'UNAUTHORIZED';
const noToken = (message, cause) => new MessengerError('NO_TOKEN', message, { retryable: true, cause });
//# sourceMappingURL=app-tokens.js.map