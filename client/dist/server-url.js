import { MessengerError } from "./error.js";
const EXAMPLE = "Pass the server's address, as in url: 'http://localhost:3000'.";
/**
 * @param url of the options; by default the origin of the page
 * @returns the address that paths are appended to, without a slash at its end
 * @throws MessengerError `INVALID_OPTION` with the address that was probably meant
 */
export const serverUrl = (url = pageOrigin()) => {
    if (url === undefined)
        throw invalid(`There is no \`url\`, and no page to take it from. ${EXAMPLE}`);
    if (typeof url !== 'string' || url === '')
        throw invalid(`\`url\` is no text or empty. ${EXAMPLE}`);
    const scheme = /^(https?|wss?):\/\//i.exec(url)?.[1];
    if (scheme === undefined) {
        const isHost = /^\w[\w.-]*(:\d+)?(\/(?!\/)|$)/.test(url);
        const meant = isHost ? ` Did you mean 'http://${url}'?` : '';
        throw invalid(`url '${url}' does not start with http:// or https://.${meant} ${EXAMPLE}`);
    }
    if (/^ws/i.test(scheme)) {
        throw invalid(`url '${url}' is that of a WebSocket. Pass '${url.replace(/^ws/i, 'http')}' instead.`);
    }
    const parsed = parse(url);
    if (!parsed)
        throw invalid(`url '${url}' is not a valid URL. ${EXAMPLE}`);
    if (parsed.username || parsed.password) {
        throw invalid('`url` contains a user name or a password. Pass them as `username` and `password`.');
    }
    if (/[?#]/.test(url))
        throw invalid(`url '${url}' has a query or a fragment. Remove what follows the path.`);
    return url.replace(/\/+$/, '');
};
/** Pages of `file:` and `data:` have an origin named "null". */
const pageOrigin = () => {
    const origin = globalThis.location?.origin;
    return origin === 'null' ? undefined : origin;
};
const parse = (url) => {
    try {
        return new URL(url);
    }
    catch {
        return undefined;
    }
};
const invalid = (message) => new MessengerError('INVALID_OPTION', message);
