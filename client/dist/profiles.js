import { unwrap } from "./http.js";
import { foldName } from "./names.js";
/** Names that the server looks up in one request. */
const MAX_NAMES = 100;
/** Characters of their list in the URL, of which the server reads 16 KiB at most. */
const MAX_LIST = 8000;
/** Profiles in the cache. */
const MAX_CACHED = 5000;
/** Milliseconds without look-ups by `peek()` after one that failed. */
const PAUSE = 5000;
/** The names that users can have. The server refuses a whole look-up if it contains another name. */
const NAME = /^[^,\p{Cc}\p{Cs}]{1,64}$/u;
/**
 * The profiles of users, by username. Look-ups made in one turn share a request for up to 100 names. The last 5,000 profiles
 * stay in memory: `user` frames replace them, and after a reconnection they are looked up again, because the server does
 * not repeat these frames.
 */
export class Profiles {
    #api;
    #timeout;
    #onChange;
    /** By folded username, the least recently used first. */
    #cache = new Map();
    /** Look-ups without a result, by folded username. */
    #lookUps = new Map();
    /** Those of `#lookUps` that are not requested yet. */
    #waiting = [];
    #timer;
    #pausedUntil = 0;
    /** @param timeout milliseconds for one request */
    constructor(api, timeout, onChange) {
        this.#api = api;
        this.#timeout = timeout;
        this.#onChange = onChange;
    }
    /**
     * @returns the profile of a user; empty if the user has set nothing, or there is no such account
     * @throws MessengerError if the look-up fails
     */
    async get(username) {
        const key = foldName(username);
        const entry = this.#use(key);
        return entry && !entry.isStale ? entry.profile : this.#lookUp(key, username);
    }
    /**
     * For views that cannot wait.
     * @returns the profile as far as the client knows it; else empty. It looks up what it does not know, and then the event
     *   `profile` comes
     */
    peek(username) {
        const key = foldName(username);
        const entry = this.#use(key);
        const isDue = !entry || entry.isStale;
        if (isDue && performance.now() >= this.#pausedUntil)
            void this.#lookUp(key, username);
        return entry?.profile ?? {};
    }
    /** Adds a profile that an HTTP reply contained, for example a `peer_profile`, so that it needs no look-up. */
    set(username, profile = {}) {
        const key = foldName(username);
        const before = this.#use(key);
        this.#cache.delete(key);
        this.#cache.set(key, { username, profile, isStale: false });
        for (const oldest of this.#cache.keys()) {
            if (this.#cache.size <= MAX_CACHED)
                break;
            this.#cache.delete(oldest);
        }
        if (before && JSON.stringify(before.profile) === JSON.stringify(profile))
            return;
        this.#onChange({ type: 'profile', username, profile });
    }
    /** @internal Takes the profile of a `user` frame. */
    receive({ username, profile = {} }) {
        // A reply that is on its way may be older than the frame.
        this.#end(foldName(username))?.resolve(profile);
        this.set(username, profile);
    }
    /** @internal Looks up the profiles that were used last. The others are looked up when they are used. */
    reconnected() {
        this.#pausedUntil = 0;
        for (const entry of this.#cache.values())
            entry.isStale = true;
        for (const [key, { username }] of [...this.#cache].slice(-MAX_NAMES))
            void this.#lookUp(key, username);
    }
    /** @internal */
    close(error) {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        this.#waiting = [];
        for (const key of [...this.#lookUps.keys()])
            this.#end(key)?.reject(error);
    }
    /** @returns the entry, which becomes the most recently used one */
    #use(key) {
        const entry = this.#cache.get(key);
        if (entry) {
            this.#cache.delete(key);
            this.#cache.set(key, entry);
        }
        return entry;
    }
    #lookUp(key, username) {
        const running = this.#lookUps.get(key);
        if (running)
            return running.promise;
        if (!NAME.test(username))
            return Promise.resolve({});
        const lookUp = { username };
        lookUp.promise = new Promise((resolve, reject) => Object.assign(lookUp, { resolve, reject }));
        // Nobody waits for the look-ups of `peek()`.
        lookUp.promise.catch(() => { });
        this.#lookUps.set(key, lookUp);
        this.#waiting.push(lookUp);
        this.#timer ??= setTimeout(() => this.#requestAll());
        return lookUp.promise;
    }
    #end(key) {
        const lookUp = this.#lookUps.get(key);
        this.#lookUps.delete(key);
        return lookUp;
    }
    #requestAll() {
        this.#timer = undefined;
        let batch = [];
        let length = 0;
        for (const lookUp of this.#waiting.splice(0)) {
            const size = encodeURIComponent(`${lookUp.username},`).length;
            if (batch.length === MAX_NAMES || length + size > MAX_LIST) {
                void this.#request(batch);
                batch = [];
                length = 0;
            }
            batch.push(lookUp);
            length += size;
        }
        if (batch.length > 0)
            void this.#request(batch);
    }
    async #request(batch) {
        const usernames = batch.map(({ username }) => username).join(',');
        try {
            const signal = AbortSignal.timeout(this.#timeout);
            const { users } = await unwrap(this.#api.GET('/users', { params: { query: { usernames } }, signal }));
            const found = new Map(users.map((user) => [foldName(user.username), user]));
            for (const lookUp of batch) {
                const key = foldName(lookUp.username);
                // A frame that came in the meantime was newer.
                if (this.#lookUps.get(key) !== lookUp)
                    continue;
                const user = found.get(key);
                const profile = user?.profile ?? {};
                this.#end(key);
                this.set(user?.username ?? lookUp.username, profile);
                lookUp.resolve(profile);
            }
        }
        catch (error) {
            this.#pausedUntil = performance.now() + PAUSE;
            for (const lookUp of batch) {
                const key = foldName(lookUp.username);
                if (this.#lookUps.get(key) === lookUp)
                    this.#lookUps.delete(key);
                lookUp.reject(error);
            }
        }
    }
}
//# sourceMappingURL=profiles.js.map