import { readFileSync } from 'node:fs'

/** A query that is saved for analysts and for those on call. */
export interface SavedQuery {
  /** What it is called in Athena's console. */
  readonly name: string
  readonly description: string
  /** The columns of `clicks` that it asks for. */
  readonly needs: string[]
  readonly sql: string
}

/** Every saved query. */
export const SAVED_QUERIES: SavedQuery[] = [
  {
    name: 'Clicks by mysfit',
    description: 'Clicks on each mysfit in the last 7 days, most first.',
    needs: ['mysfitid'],
    sql: text('clicks-by-mysfit.sql'),
  },
  {
    name: 'Clicks by species and alignment',
    description: 'Clicks on each species and alignment in the last 7 days, most first.',
    needs: ['species', 'goodevil', 'lawchaos'],
    sql: text('clicks-by-species-and-alignment.sql'),
  },
  {
    name: 'Clicks by hour',
    description: 'Clicks in each hour (UTC) of the last 7 days, newest first.',
    needs: [],
    sql: text('clicks-by-hour.sql'),
  },
  {
    name: 'Failed records by code',
    description: 'How many records failed in the last 7 days, why and when.',
    needs: [],
    sql: text('failed-records-by-code.sql'),
  },
  {
    name: 'Originals of failed records',
    description: 'What the newest 100 failed records of the last 7 days held.',
    needs: [],
    sql: text('failed-records-originals.sql'),
  },
]

function text(file: string): string {
  return readFileSync(new URL(file, import.meta.url), 'utf8')
}
