import { appendFile, readFile, rename, writeFile } from 'node:fs/promises';
/** Number of lines after which the file is replaced by a snapshot. */
const COMPACT_AFTER = 10_000;
/**
 * A storage for Node.js: a file with one change per line, as JSON. It outlives the process. After a power loss the last
 * changes may be missing.
 * @param path of the file. It is created if it does not exist. Only one process at a time may use it.
 */
export const fileStorage = (path) => {
    let state = emptyState();
    let lines = 0;
    let batch = [];
    let writing = Promise.resolve();
    let next;
    const write = async () => {
        next = undefined;
        const changes = batch;
        batch = [];
        const length = lines + changes.length;
        // If this write fails, the file may end in half a line. The next write then replaces the whole file.
        lines = COMPACT_AFTER;
        if (length <= COMPACT_AFTER) {
            await appendFile(path, linesOf(changes));
            lines = length;
            return;
        }
        // The rename is atomic: after a crash there is either the old file or the new one.
        await writeFile(`${path}.new`, linesOf(snapshot(state)), { mode: 0o600 });
        await rename(`${path}.new`, path);
        lines = 0;
    };
    /** Saves a change. The changes that arrive during a write are saved together by the next write. */
    const save = (change) => {
        apply(state, change);
        batch.push(change);
        if (!next) {
            next = writing.then(write);
            writing = next.catch(() => { });
        }
        return next;
    };
    return {
        async load() {
            state = parse(await readOrCreate(path));
            // The first write replaces the file, because it may end in half a line.
            lines = COMPACT_AFTER;
            const { owner, cursor, outbox } = state;
            return { owner, cursor, outbox: [...outbox.values()] };
        },
        setOwner: (owner) => save({ owner }),
        setCursor: (cursor) => save({ cursor }),
        put: (entry) => save({ put: entry }),
        remove: (client_id) => save({ remove: client_id }),
        close: () => writing,
    };
};
const emptyState = () => ({ owner: undefined, cursor: undefined, outbox: new Map() });
const readOrCreate = async (path) => {
    await appendFile(path, '', { mode: 0o600 });
    return readFile(path, 'utf8');
};
const parse = (file) => {
    const state = emptyState();
    // The text after the last line break is empty, or a line that was cut off by a crash.
    const complete = file.split('\n').slice(0, -1);
    for (const line of complete)
        apply(state, JSON.parse(line));
    return state;
};
const apply = (state, change) => {
    if ('owner' in change)
        state.owner = change.owner;
    else if ('cursor' in change)
        state.cursor = change.cursor;
    else if ('remove' in change)
        state.outbox.delete(change.remove);
    else if (!state.outbox.has(change.put.client_id))
        state.outbox.set(change.put.client_id, change.put);
};
const snapshot = ({ owner, cursor, outbox }) => [
    ...(owner === undefined ? [] : [{ owner }]),
    ...(cursor === undefined ? [] : [{ cursor }]),
    ...[...outbox.values()].map((put) => ({ put })),
];
const linesOf = (changes) => changes.map((change) => `${JSON.stringify(change)}\n`).join('');
//# sourceMappingURL=file-storage.js.map