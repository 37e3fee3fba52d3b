import { MessengerError } from "./error.js";
const EXAMPLE = "Pass the address of the server, for example url: 'http://localhost:3000'.";
/**
 * Checks and normalises the option `url`.
 * @param url by default the origin of the page
 * @returns the address without a slash at its end; append paths to it
 * @throws MessengerError `INVALID_OPTION`; its message suggests a correct address
 */
export const serverUrl = (url = pageOrigin()) => {
    if (url === undefined)
        throw invalid(`\`url\` is missing, and no page provides a default. ${EXAMPLE}`);
    if (typeof url !== 'string' || url === '')
        throw invalid(`\`url\` is empty or not a string. ${EXAMPLE}`);
    const scheme = /^(https?|wss?):\/\//i.exec(url)?.[1];
    if (scheme === undefined) {
        const isHost = /^\w[\w.-]*(:\d+)?(\/(?!\/)|$)/.test(url);
        const suggestion = isHost ? ` Did you mean 'http://${url}'?` : '';
        throw invalid(`url '${url}' does not start with http:// or https://.${suggestion} ${EXAMPLE}`);
    }
    if (/^ws/i.test(scheme)) {
        throw invalid(`url '${url}' is a WebSocket address. Pass '${url.replace(/^ws/i, 'http')}' instead.`);
    }
    const parsed = parse(url);
    if (!parsed)
        throw invalid(`url '${url}' is not a valid URL. ${EXAMPLE}`);
    if (parsed.username || parsed.password) {
        throw invalid('`url` contains a user name or a password. Pass them as `username` and `password`.');
    }
    if (/[?#]/.test(url))
        throw invalid(`url '${url}' has a query or a fragment. Remove it.`);
    return url.replace(/\/+$/, '');
};
/** Pages with the scheme `file:` or `data:` have the origin "null". */
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
//# sourceMappingURL=server-url.js.map