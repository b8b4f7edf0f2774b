/** Vulkan in software, as Debian's packages chromium and mesa-vulkan-drivers (25 or later) bring it. */
export const softwareAdapters = {
  swiftshader: '/usr/lib/chromium/vk_swiftshader_icd.json',
  lavapipe: '/usr/share/vulkan/icd.d/lvp_icd.json',
}
