import { fileURLToPath } from 'node:url'

/** This package's folder: the sources' own, and one further up from what is built of them. */
export const packageRoot = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '..' : '../..', import.meta.url))
