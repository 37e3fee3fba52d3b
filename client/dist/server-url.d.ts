/**
 * Checks and normalises the option `url`.
 * @param url by default the origin of the page
 * @returns the address without a slash at its end; append paths to it
 * @throws MessengerError `INVALID_OPTION`; its message suggests a correct address
 */
export declare const serverUrl: (url?: string | undefined) => string;
