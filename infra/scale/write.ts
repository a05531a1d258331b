import { writeFileSync } from 'node:fs'
import { scaleDocument } from './document.ts'

writeFileSync(new URL('../../docs/scale.md', import.meta.url), scaleDocument())
