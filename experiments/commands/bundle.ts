import { Command, InvalidArgumentError } from 'commander'

interface BundleFlags {
  readonly out: string
  readonly node: string
  readonly vulkan?: boolean
  readonly libc?: boolean
}

/** How many of the parts are listed. */
const LISTED = 8

/** `rxgym bundle` */
export function bundleCommand(): Command {
  return new Command('bundle')
    .summary('pack rxgym for a Linux machine without network or Node')
    .description(
      'Makes one archive, or a folder, that runs as it is unpacked on Linux on x64: Node (from npm, so this needs a network),\n' +
        'rxgym and what it is made of, the webgpu package, and a launcher, ./rxgym. It goes to a compute node, say, by scp.',
    )
    .option('--out <path>', 'an archive (.tar.gz) or a new folder', 'rxgym-linux-x64.tar.gz')
    .option(
      '--node <version>',
      'which Node, such as 22 or 22.18.0; the major version of the one running unless given',
      nodeVersion,
      process.versions.node.split('.')[0]!,
    )
    .option('--vulkan', "with the Vulkan loader, as Debian's package libvulkan1 has it (needs apt-get)")
    .option('--libc', "with this machine's C library, for a root folder or a machine that has none")
    .addHelpText(
      'after',
      `
Examples:
  rxgym bundle --vulkan
  scp rxgym-linux-x64.tar.gz node: && ssh node 'tar xzf rxgym-linux-x64.tar.gz && rxgym/rxgym doctor'
  rxgym bundle --libc --out image/opt/rxgym

A C library is used where the machine has none, or with RXGYM_LIBC=1.`,
    )
    .action(async ({ out, node, vulkan = false, libc = false }: BundleFlags) => {
      const { makeBundle } = await import('../bundle/bundle.js')
      const note = (message: string) => process.stderr.write(`${message}\n`)
      const bundle = await makeBundle({ out, node, vulkan, libc, note })
      const listed = bundle.parts.slice(0, LISTED)
      const rest = bundle.parts.slice(LISTED).reduce((sum, part) => sum + part.size, 0)
      const lines = [...listed, ...(rest > 0 ? [{ name: 'the rest', size: rest }] : [])].map(
        ({ name, size }) => `  ${megabytes(size).padStart(8)}  ${name}`,
      )
      process.stdout.write(`${bundle.out}: ${megabytes(bundle.size)}, Node ${bundle.node}\n${lines.join('\n')}\n`)
    })
}

function nodeVersion(text: string): string {
  const [, major] = /^v?(\d+)(\.\d+){0,2}$/.exec(text) ?? []
  if (major === undefined) throw new InvalidArgumentError('It must be a version, such as 22 or 22.18.0.')
  if (Number(major) < 20) throw new InvalidArgumentError('rxgym needs Node 20 or later.')
  return text.replace(/^v/, '')
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
