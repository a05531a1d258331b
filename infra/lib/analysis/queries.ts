import { readFileSync } from 'node:fs'

/** A saved query for analysts and operators. */
export interface SavedQuery {
  /** Its name in Athena's console. */
  readonly name: string
  readonly description: string
  /** The columns of `clicks` that it reads. */
  readonly needs: string[]
  /** Its text, in which `${columns}` are all columns of `clicks`. */
  readonly sql: string
}

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
    name: 'Create clicks once',
    description: 'Creates the view clicks_once, in which each click is once.',
    needs: ['clickid'],
    sql: text('clicks-once.sql'),
  },
  {
    name: 'Failed records by code',
    description: 'Failed records of the last 7 days: how many, why and when.',
    needs: [],
    sql: text('failed-records-by-code.sql'),
  },
  {
    name: 'Originals of failed records',
    description: 'The originals of the newest 100 failed records of the last 7 days.',
    needs: [],
    sql: text('failed-records-originals.sql'),
  },
]

function text(file: string): string {
  return readFileSync(new URL(file, import.meta.url), 'utf8')
}
