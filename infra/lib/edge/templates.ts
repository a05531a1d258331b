import { templates } from '../templates.ts'

/** The edge's mapping templates. */
export const template = templates<'put-record' | 'accepted' | 'refused' | 'preflight' | 'origin'>(import.meta.url)
