/** The SQL expression of the present time, in milliseconds since 1970. All nodes use this clock, which is that of the database. */
export const NOW = '(extract(epoch from clock_timestamp()) * 1000)::bigint'
