const open = () => {
    try {
        return localStorage;
    }
    catch {
        return undefined;
    }
};
/** What the browser keeps for this site; undefined where it is told to keep nothing, and then a reload logs out. */
export const siteData = open();
