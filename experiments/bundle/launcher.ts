/** What starts a bundle wherever it lies and through links to it. It needs a shell and what Linux machines have beside it; what it runs does
 *  not. */
export const LAUNCHER = `#!/bin/sh
self=$0
while [ -h "$self" ]; do
  link=$(readlink "$self")
  case $link in
    /*) self=$link ;;
    *) self=$(dirname "$self")/$link ;;
  esac
done
here=$(cd "$(dirname "$self")" && pwd -P) || exit 1
# A card's driver is linked with the machine's own C library: the bundle's, if it has one, is for where there is none.
if [ -e "$here/libc" ] && { [ -n "$RXGYM_LIBC" ] || [ ! -e /lib64/ld-linux-x86-64.so.2 ]; }; then
  exec "$here/libc/ld-linux-x86-64.so.2" --library-path "$here/libc:$here/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" \\
    "$here/bin/node" "$here/dist/experiments/cli.js" "$@"
fi
if [ -e "$here/lib" ]; then
  LD_LIBRARY_PATH=\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$here/lib
  export LD_LIBRARY_PATH
fi
exec "$here/bin/node" "$here/dist/experiments/cli.js" "$@"
`

/** What of a bundle's parts its page tells. */
export interface BundleParts {
  readonly rxgym: string
  readonly node: string
  /** The Vulkan loader's version, where it is in the bundle. */
  readonly vulkan: string | undefined
  readonly libc: boolean
}

/** A bundle's README.txt. */
export function bundleReadme({ rxgym, node, vulkan, libc }: BundleParts): string {
  return `rxgym ${rxgym} for Linux on x64, with Node ${node} and all that it needs. No network, no installation.

  ./rxgym --help
  ./rxgym doctor             what this machine offers
  ./rxgym train cartpole-reinforce --seed 1
  ./rxgym bench gpu          how fast a language model is on a graphics card; beside transformers, where RXGYM_PYTHON has it

The folder may lie anywhere and be read-only; runs go to runs/ where the command is given. A link to ./rxgym, from a folder of the PATH
say, starts it too. A module of yours for --import can import 'rxgym' if it lies in this folder.

It needs glibc 2.28 and libstdc++, as Linux machines have them but for Alpine; for --backend webgpu glibc 2.34 and GCC 12's libstdc++.${
    libc ? '\nWhere there is none it takes its own, and where they are older with RXGYM_LIBC=1.' : ''
  }
A graphics card (--backend webgpu) needs its driver for Vulkan${vulkan === undefined ? ' and the Vulkan loader (Debian: libvulkan1)' : ''}.
${
  libc
    ? `
Without a shell, as in an empty root folder, the same is

  ./libc/ld-linux-x86-64.so.2 --library-path ./libc:./lib ./bin/node dist/experiments/cli.js --help

In a root folder of its own it wants /proc, by which processes find themselves.
`
    : ''
}
Licences: LICENSE is rxgym's, bin/LICENSE Node's; each package in node_modules has its own beside it${
    vulkan === undefined && !libc ? '' : ', and system libraries have theirs in files that end in .copyright'
  }.
`
}
