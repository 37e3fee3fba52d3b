import { MessengerError } from "./error.js";
/** Error codes of Node.js for a certificate that it does not accept. */
const certificateErrors = [
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];
/**
 * @param url of the call that got no reply
 * @param cause the error that `fetch` threw
 * @returns a retryable error `NETWORK`, whose message says what is wrong and what to check
 */
export const networkError = (url, cause) => new MessengerError('NETWORK', explain(new URL(url).origin, cause), { retryable: true, cause });
const explain = (server, cause) => {
    // In Node.js `navigator` exists, but has no `onLine`.
    const { navigator } = globalThis;
    if (navigator?.onLine === false)
        return `This device is offline and cannot reach ${server}. Check its network.`;
    if (cause.name === 'TimeoutError')
        return `${server} did not answer in time. Check that the server is running and that no firewall blocks it.`;
    const code = codeOf(cause);
    if (code === 'ECONNREFUSED')
        return `No server listens at ${server}. Start the server, or correct the host and the port in \`url\`.`;
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
        return `The host name of ${server} has no address (${code}). Correct \`url\`, or check the network.`;
    if (code !== undefined && certificateErrors.includes(code))
        return (`The certificate of ${server} is not trusted (${code}). Install a valid certificate, or name the file of its ` +
            'authority in NODE_EXTRA_CA_CERTS.');
    if (code?.startsWith('ERR_SSL_'))
        return `${server} does not speak TLS (${code}). Correct the port, or use http:// in \`url\`.`;
    const page = globalThis.location?.origin;
    if (page !== undefined && page !== server)
        return (`The browser could not call ${server} from the page ${page}. Check that the server is running, and add the ` +
            `page to its CORS_ORIGINS: CORS_ORIGINS=${page}. The browser console shows the cause.`);
    return (`${server} could not be reached${code === undefined ? '' : ` (${code})`}. Check \`url\`, and that the server is ` +
        'running.');
};
/** In Node.js the `TypeError` of `fetch` has a `cause` with a code. */
const codeOf = (cause) => cause.cause?.code;
//# sourceMappingURL=network-error.js.map