import { describe, expect, it } from 'vitest'
import '../../index.js'
import { referenceOf } from '../../envs/reference-of.js'
import { register, specOf, UnknownNameError } from '../../envs/registry.js'
import { Discrete } from '../../envs/spaces/discrete.js'

describe('the reference score of an environment', () => {
  it('is CartPole’s time limit, whatever that is', () => {
    expect(referenceOf(specOf('CartPole-v1')).score).toBe(500)
    expect(referenceOf(specOf('CartPole-v0')).score).toBe(200)
    expect(referenceOf(specOf('CartPole-v1', { maxEpisodeSteps: 50 })).score).toBe(50)
  })

  it('is every game won, in chess', () => {
    expect(referenceOf(specOf('Chess-v1', { planes: 13 }))).toEqual({ score: 1, what: 'every game won' })
  })

  it('is the highest reward of a text environment with these options', () => {
    expect(referenceOf(specOf('Countdown-v1')).score).toBe(1)
    expect(referenceOf(specOf('Arithmetic-v1')).score).toBe(4)
    expect(referenceOf(specOf('Arithmetic-v1', { prompt: 'think' })).score).toBe(1.1)
  })

  it('is what an environment of one’s own is registered with, and otherwise not known', () => {
    const create = () => ({
      observationSpace: new Discrete(2),
      actionSpace: new Discrete(2),
      reset: () => ({ observation: 0, info: {} }),
      step: () => ({ observation: 0, reward: 1, terminated: true, truncated: false, info: {} }),
    })
    register({ id: 'Stated-v0', create, reference: () => ({ score: 7, what: 'a record' }) })
    register({ id: 'Unstated-v0', create })
    expect(referenceOf(specOf('Stated-v0'))).toEqual({ score: 7, what: 'a record' })
    expect(() => referenceOf(specOf('Unstated-v0'))).toThrow('Unstated-v0 has no reference score')
    expect(() => referenceOf({ id: 'Nowhere-v0', options: {}, wrappers: [] })).toThrow(UnknownNameError)
  })
})
