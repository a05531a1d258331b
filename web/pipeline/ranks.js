// The ranks of values in a period, and their change: numbers only.

/** `values` have a count for each minute, the current one last. Returns those with records in the last `minutes`, highest first. */
export function ranks(values, minutes) {
  const now = ranked(values, (counts) => sum(counts.slice(-minutes)))
  const kept = values[0]?.counts.length ?? 0
  // With the whole time there is no period before. In one without records, every value would be new.
  const before = 2 * minutes <= kept ? ranked(values, (counts) => sum(counts.slice(-2 * minutes, -minutes))) : []
  const former = new Map(before.map(({ value, rank }) => [value, rank]))
  return now.map((one) => ({ ...one, change: former.size === 0 ? undefined : former.has(one.value) ? former.get(one.value) - one.rank : 'new' }))
}

/** Equal counts have equal ranks. */
function ranked(values, countOf) {
  const counted = values
    .map(({ value, counts }) => ({ value, counts, count: countOf(counts) }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count || sum(b.counts) - sum(a.counts) || a.value.localeCompare(b.value))
  return counted.map((one) => ({ ...one, rank: 1 + counted.findIndex(({ count }) => count === one.count) }))
}

const sum = (counts) => counts.reduce((total, count) => total + count, 0)
