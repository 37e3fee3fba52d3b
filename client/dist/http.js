import createClient, {} from 'openapi-fetch';
import { errorFromProblem, MessengerError } from "./error.js";
import { networkError } from "./network-error.js";
import { serverUrl } from "./server-url.js";
/**
 * Creates the HTTP calls. They throw `MessengerError` `NETWORK` instead of the errors of `fetch`.
 * @param url a result of `serverUrl()`
 * @param tokens of the calls, except of those with an `authorization` of their own
 */
export const createApi = (url, fetch, tokens = { current: () => undefined }) => createClient({ baseUrl: url, fetch: (request) => authorizedCall(fetch, request, tokens) });
const authorizedCall = async (fetch, request, { current, replace }) => {
    const token = request.headers.has('authorization') ? undefined : await current();
    if (token === undefined)
        return call(fetch, request);
    request.headers.set('authorization', `Bearer ${token}`);
    if (!replace)
        return call(fetch, request);
    const copy = request.clone();
    const response = await call(fetch, request);
    if (response.status !== 401)
        return response;
    copy.headers.set('authorization', `Bearer ${await replace(token)}`);
    return call(fetch, copy);
};
const call = async (fetch, request) => {
    const response = await fetch(request).catch((cause) => {
        throw cause instanceof MessengerError ? cause : networkError(request.url, cause);
    });
    if (response.headers.get('content-type')?.startsWith('text/html'))
        throw foreignReply(request.url, response);
    return response;
};
/**
 * Waits for a call of `api`.
 * @returns the data of the reply
 * @throws MessengerError with the problem that the server sent, or `NETWORK`
 */
export const unwrap = async (call) => {
    const { data, error, response } = await call.catch((cause) => {
        if (cause instanceof MessengerError)
            throw cause;
        const message = 'The reply is incomplete or not JSON. Retry. If it fails again, check that `url` is the address of a Messenger ' +
            'server.';
        throw new MessengerError('NETWORK', message, { retryable: true, cause });
    });
    if (response.ok)
        return data;
    if (!isProblem(error))
        throw foreignReply(response.url, response);
    throw errorFromProblem(error, retryOf(response));
};
const foreignReply = (url, response) => new MessengerError('NETWORK', `The reply of ${url} (status ${response.status}) is not from a Messenger server. Check host, port and path of ` +
    '`url`.', retryOf(response));
const retryOf = ({ ok, status, headers }) => {
    const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
    return {
        retryable: ok || status === 408 || status === 429 || status >= 500,
        retryAfter: Number.isNaN(retryAfter) ? undefined : retryAfter,
    };
};
const isProblem = (value) => typeof value === 'object' && value !== null && 'code' in value && 'detail' in value;
/**
 * Logs in. In the server's open mode, the login with a new name creates the account.
 * @param url the address of the server
 * @returns the session: pass it to `new Messenger({ session })`
 * @throws MessengerError `PASSWORD_REQUIRED`, `INVALID_CREDENTIALS`, `RATE_LIMITED`, `INVALID_OPTION`, `NETWORK` and
 *   other codes of the server
 */
export const login = async (url, credentials, fetch = globalFetch) => unwrap(createApi(serverUrl(url), fetch).POST('/login', { body: credentials }));
export const globalFetch = (request) => globalThis.fetch(request);
//# sourceMappingURL=http.js.map