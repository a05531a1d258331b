import { templates } from '../templates.ts'

/** The mapping templates of the streams. */
export const template = templates<'put-record' | 'accepted' | 'refused' | 'unknown'>(import.meta.url)
