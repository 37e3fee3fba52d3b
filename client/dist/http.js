import createClient, {} from 'openapi-fetch';
import { MessengerError, refusal } from "./error.js";
import { serverUrl } from "./server-url.js";
import { unreachable } from "./unreachable.js";
/**
 * @param url of `serverUrl()`
 * @returns the calls; each goes out with the token that there is then. What `fetch` throws becomes `NETWORK`.
 */
export const createApi = (url, fetch, token) => {
    const api = createClient({ baseUrl: url, fetch: (request) => answer(fetch, request) });
    const authorize = {
        onRequest({ request }) {
            const current = token();
            if (current !== undefined && !request.headers.has('authorization')) {
                request.headers.set('authorization', `Bearer ${current}`);
            }
            return request;
        },
    };
    api.use(authorize);
    return api;
};
const answer = async (fetch, request) => {
    const response = await fetch(request).catch((cause) => {
        throw cause instanceof MessengerError ? cause : unreachable(request.url, cause);
    });
    if (response.headers.get('content-type')?.startsWith('text/html'))
        throw noMessenger(request.url, response);
    return response;
};
/**
 * For a call of `api`.
 * @returns the data of its reply
 * @throws MessengerError with the server's problem, or `NETWORK`
 */
export const unwrap = async (call) => {
    const { data, error, response } = await call.catch((cause) => {
        if (cause instanceof MessengerError)
            throw cause;
        const message = 'The reply was cut, or is no JSON: if it stays so, `url` is not that of a Messenger server.';
        throw new MessengerError('NETWORK', message, { retryable: true, cause });
    });
    if (response.ok)
        return data;
    if (!isProblem(error))
        throw noMessenger(response.url, response);
    throw refusal(error, detailsOf(response));
};
const noMessenger = (url, response) => new MessengerError('NETWORK', `${url} answered with ${response.status}, but not as a Messenger server does. Check host, port and path of \`url\`.`, detailsOf(response));
const detailsOf = ({ ok, status, headers }) => {
    const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
    return {
        retryable: ok || status === 408 || status === 429 || status >= 500,
        retryAfter: Number.isNaN(retryAfter) ? undefined : retryAfter,
    };
};
const isProblem = (value) => typeof value === 'object' && value !== null && 'code' in value && 'detail' in value;
/**
 * Logs in; in the server's open mode that makes the account where there is none.
 * @param url the server's address
 * @throws MessengerError `PASSWORD_REQUIRED`, `INVALID_CREDENTIALS`, `RATE_LIMITED`, `INVALID_OPTION`, …
 */
export const login = async (url, credentials, fetch = globalFetch) => unwrap(createApi(serverUrl(url), fetch, () => undefined).POST('/login', { body: credentials }));
export const globalFetch = (request) => globalThis.fetch(request);
