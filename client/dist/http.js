import createClient, {} from 'openapi-fetch';
import { MessengerError, refusal } from "./error.js";
/** @returns the calls; each goes out with the token that there is then. */
export const createApi = (url, fetch, token) => {
    const api = createClient({ baseUrl: url, fetch });
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
/**
 * For a call of `api`.
 * @returns the data of its reply
 * @throws MessengerError with the server's problem, or `NETWORK`
 */
export const unwrap = async (call) => {
    const { data, error, response } = await call.catch((cause) => {
        throw new MessengerError('NETWORK', 'The server could not be reached.', { retryable: true, cause });
    });
    if (response.ok)
        return data;
    const { status, headers } = response;
    const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
    const details = {
        retryable: status === 408 || status === 429 || status >= 500,
        retryAfter: Number.isNaN(retryAfter) ? undefined : retryAfter,
    };
    if (!isProblem(error))
        throw new MessengerError('NETWORK', `The reply was ${status}, by no Messenger.`, details);
    throw refusal(error, details);
};
const isProblem = (value) => typeof value === 'object' && value !== null && 'code' in value && 'detail' in value;
/**
 * Logs in; in the server's open mode that makes the account where there is none.
 * @param url the server's address
 * @throws MessengerError `PASSWORD_REQUIRED`, `INVALID_CREDENTIALS`, `RATE_LIMITED`, …
 */
export const login = (url, credentials, fetch = globalFetch) => unwrap(createApi(url, fetch, () => undefined).POST('/login', { body: credentials }));
export const globalFetch = (request) => globalThis.fetch(request);
