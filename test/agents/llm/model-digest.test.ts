import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { modelDigest } from '../../../agents/llm/model-digest.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'model-digest-'))
  put('config.json', '{}')
  put('tokenizer.json', '{}')
  put('model.safetensors', 'weights')
})
afterEach(() => rmSync(folder, { recursive: true }))

function put(name: string, content: string): void {
  writeFileSync(join(folder, name), content)
}

it('The digest of a model folder changes with every file that is read, and with no other', async () => {
  const before = await modelDigest(folder)
  expect(before).toMatch(/^[0-9a-f]{64}$/)
  put('README.md', 'of no model')
  expect(await modelDigest(folder)).toBe(before)
  const seen = new Set([before])
  for (const name of ['config.json', 'generation_config.json', 'tokenizer.json', 'model.safetensors']) {
    put(name, 'other')
    seen.add(await modelDigest(folder))
  }
  expect(seen.size).toBe(5)
})

it('The digest of a model in several files is that of all of them', async () => {
  renameSync(join(folder, 'model.safetensors'), join(folder, 'a.safetensors'))
  put('b.safetensors', 'more')
  put('model.safetensors.index.json', JSON.stringify({ weight_map: { v: 'a.safetensors', w: 'b.safetensors' } }))
  const before = await modelDigest(folder)
  put('b.safetensors', 'other')
  expect(await modelDigest(folder)).not.toBe(before)
  put('b.safetensors', 'more')
  expect(await modelDigest(folder)).toBe(before)
})
