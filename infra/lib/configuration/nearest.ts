/** A name with a higher similarity is suggested, as for the keys of the local pipeline's file (`crates/clicks`). */
const SIMILAR = 0.6

/** ` (did you mean NAME?)` with the most similar of `names`, or nothing. `compared` is the part of a name that counts. */
export function suggestion(found: string, names: readonly string[], compared = (name: string) => name): string {
  const similarityOf = (name: string) => similarity(compared(found).toLowerCase(), compared(name).toLowerCase())
  const [nearest] = names
    .map((name) => ({ name, similarity: similarityOf(name) }))
    .filter(({ similarity }) => similarity > SIMILAR)
    .sort((one, other) => other.similarity - one.similarity)
  return nearest === undefined ? '' : ` (did you mean ${nearest.name}?)`
}

/** 1 less the edit distance, as a share of the longer text. */
function similarity(one: string, other: string): number {
  return 1 - distance(one, other) / Math.max(one.length, other.length)
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one text into the other (optimal string alignment). */
function distance(one: string, other: string): number {
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, column) => column)]
  for (let row = 1; row <= one.length; row++) {
    const [previous, current] = [rows[row - 1]!, [row]]
    for (let column = 1; column <= other.length; column++) {
      const replaced = previous[column - 1]! + (one[row - 1] === other[column - 1] ? 0 : 1)
      const isSwap = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]
      const swapped = isSwap ? rows[row - 2]![column - 2]! + 1 : Infinity
      current.push(Math.min(previous[column]! + 1, current[column - 1]! + 1, replaced, swapped))
    }
    rows.push(current)
  }
  return rows[one.length]![other.length]!
}
