/** What Dawn says against shaders, on a device that has every feature and computes nothing. */
export async function refusals(codes: readonly string[]): Promise<string[]> {
  const { create } = await import('webgpu')
  const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis'])
  const adapter = (await gpu.requestAdapter())!
  const features = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'] as GPUFeatureName[]
  const device = await adapter.requestDevice({ requiredFeatures: features })
  const messages: string[] = []
  for (const code of codes) {
    device.pushErrorScope('validation')
    const module = device.createShaderModule({ code })
    const { messages: said } = await module.getCompilationInfo()
    await device.popErrorScope()
    messages.push(...said.map(({ type, message, lineNum }) => `${type}: ${message}: ${code.split('\n')[lineNum - 1]}`))
  }
  device.destroy()
  return messages
}
