// A Vulkan layer that asks the driver's own compiler what it made of each compute pipeline: statistics and machine code, appended as
// one line of JSON each to the file that PIPELINE_RECORDS names. Mesa's RADV compiles for GPUs that are not there (RADV_FORCE_FAMILY),
// but runs nothing on them: what would reach one is answered here, so that Dawn opens a device on it.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

static VkInstance instance;
static PFN_vkGetInstanceProcAddr instance_next;
static PFN_vkGetDeviceProcAddr device_next;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

#define NEXT(device, name) ((PFN_##name)device_next(device, #name))

// --- what the compiler says ---

static void write_text(FILE *out, const char *text) {
  fputc('"', out);
  for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
    if (*c == '"' || *c == '\\') fprintf(out, "\\%c", *c);
    else if (*c < ' ') fprintf(out, "\\u%04x", *c);
    else fputc(*c, out);
  }
  fputc('"', out);
}

static void write_statistics(FILE *out, VkDevice device, const VkPipelineExecutableInfoKHR *which) {
  uint32_t count = 0;
  NEXT(device, vkGetPipelineExecutableStatisticsKHR)(device, which, &count, NULL);
  VkPipelineExecutableStatisticKHR *all = calloc(count, sizeof *all);
  for (uint32_t i = 0; i < count; i++) all[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
  NEXT(device, vkGetPipelineExecutableStatisticsKHR)(device, which, &count, all);
  const char *between = "";
  for (uint32_t i = 0; i < count; i++) {
    fputs(between, out);
    write_text(out, all[i].name);
    const VkPipelineExecutableStatisticValueKHR *value = &all[i].value;
    switch (all[i].format) {
      case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR: fprintf(out, ":%u", value->b32); break;
      case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR: fprintf(out, ":%lld", (long long)value->i64); break;
      case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR: fprintf(out, ":%llu", (unsigned long long)value->u64); break;
      default: fprintf(out, ":%.17g", value->f64);
    }
    between = ",";
  }
  free(all);
}

static void write_representations(FILE *out, VkDevice device, const VkPipelineExecutableInfoKHR *which) {
  uint32_t count = 0;
  NEXT(device, vkGetPipelineExecutableInternalRepresentationsKHR)(device, which, &count, NULL);
  VkPipelineExecutableInternalRepresentationKHR *all = calloc(count, sizeof *all);
  for (uint32_t i = 0; i < count; i++) all[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
  NEXT(device, vkGetPipelineExecutableInternalRepresentationsKHR)(device, which, &count, all);
  for (uint32_t i = 0; i < count; i++) all[i].pData = calloc(1, all[i].dataSize + 1);
  NEXT(device, vkGetPipelineExecutableInternalRepresentationsKHR)(device, which, &count, all);
  const char *between = "";
  for (uint32_t i = 0; i < count; i++) {
    if (all[i].isText) {
      fputs(between, out);
      write_text(out, all[i].name);
      fputc(':', out);
      write_text(out, all[i].pData);
      between = ",";
    }
    free(all[i].pData);
  }
  free(all);
}

static void record(VkDevice device, VkPipeline pipeline) {
  const char *path = getenv("PIPELINE_RECORDS");
  FILE *out = path ? fopen(path, "a") : NULL;
  if (!out) return;
  VkPipelineInfoKHR info = {VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, NULL, pipeline};
  uint32_t count = 1; // a compute pipeline is one executable
  VkPipelineExecutablePropertiesKHR properties = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR};
  NEXT(device, vkGetPipelineExecutablePropertiesKHR)(device, &info, &count, &properties);
  VkPipelineExecutableInfoKHR which = {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, NULL, pipeline, 0};
  fprintf(out, "{\"subgroupSize\":%u,\"statistics\":{", properties.subgroupSize);
  write_statistics(out, device, &which);
  fputs("},\"texts\":{", out);
  write_representations(out, device, &which);
  fputs("}}\n", out);
  fclose(out);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_compute_pipelines(VkDevice device, VkPipelineCache cache, uint32_t count,
    const VkComputePipelineCreateInfo *infos, const VkAllocationCallbacks *allocator, VkPipeline *pipelines) {
  (void)cache; // what comes out of a cache has not been compiled
  VkResult result = VK_SUCCESS;
  pthread_mutex_lock(&one_at_a_time);
  for (uint32_t i = 0; i < count; i++) {
    VkComputePipelineCreateInfo info = infos[i];
    info.flags |= VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR | VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
    VkResult made = NEXT(device, vkCreateComputePipelines)(device, VK_NULL_HANDLE, 1, &info, allocator, &pipelines[i]);
    if (made == VK_SUCCESS) record(device, pipelines[i]);
    else result = made;
  }
  pthread_mutex_unlock(&one_at_a_time);
  return result;
}

// --- the GPU that is not there ---

static VkResult done(void) { return VK_SUCCESS; }
static void nothing(void) {}

// Memory of the host's, of which a page exists once something is written to it.
static VKAPI_ATTR VkResult VKAPI_CALL allocate_memory(VkDevice device, const VkMemoryAllocateInfo *info,
    const VkAllocationCallbacks *allocator, VkDeviceMemory *memory) {
  (void)device, (void)allocator;
  void *pages = calloc(1, info->allocationSize);
  *memory = (VkDeviceMemory)(uintptr_t)pages;
  return pages ? VK_SUCCESS : VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

static VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice device, VkDeviceMemory memory, const VkAllocationCallbacks *allocator) {
  (void)device, (void)allocator;
  free((void *)(uintptr_t)memory);
}

static VKAPI_ATTR VkResult VKAPI_CALL map_memory(VkDevice device, VkDeviceMemory memory, VkDeviceSize offset, VkDeviceSize size,
    VkMemoryMapFlags flags, void **data) {
  (void)device, (void)size, (void)flags;
  *data = (char *)(uintptr_t)memory + offset;
  return VK_SUCCESS;
}

// A card's own memory, and the host's.
static VKAPI_ATTR void VKAPI_CALL memory_properties(VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties *properties) {
  (void)physical;
  const VkMemoryPropertyFlags host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  *properties = (VkPhysicalDeviceMemoryProperties){
      .memoryTypeCount = 2,
      .memoryTypes = {{VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0}, {host, 1}},
      .memoryHeapCount = 2,
      .memoryHeaps = {{16ull << 30, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT}, {16ull << 30, 0}},
  };
}

static VKAPI_ATTR void VKAPI_CALL memory_properties_2(VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties2 *properties) {
  memory_properties(physical, &properties->memoryProperties);
}

static VKAPI_ATTR void VKAPI_CALL buffer_requirements(VkDevice device, VkBuffer buffer, VkMemoryRequirements *requirements) {
  NEXT(device, vkGetBufferMemoryRequirements)(device, buffer, requirements);
  requirements->memoryTypeBits = 3; // either of the two types
}

struct answer {
  const char *name;
  PFN_vkVoidFunction function;
};

#define ANSWER(name, function) {#name, (PFN_vkVoidFunction)(function)}

static const struct answer answers[] = {
    ANSWER(vkCreateComputePipelines, create_compute_pipelines),
    ANSWER(vkGetPhysicalDeviceMemoryProperties, memory_properties),
    ANSWER(vkGetPhysicalDeviceMemoryProperties2, memory_properties_2),
    ANSWER(vkGetPhysicalDeviceMemoryProperties2KHR, memory_properties_2),
    ANSWER(vkGetBufferMemoryRequirements, buffer_requirements),
    ANSWER(vkAllocateMemory, allocate_memory),
    ANSWER(vkFreeMemory, free_memory),
    ANSWER(vkMapMemory, map_memory),
    ANSWER(vkUnmapMemory, nothing),
    ANSWER(vkFlushMappedMemoryRanges, done),
    ANSWER(vkInvalidateMappedMemoryRanges, done),
    ANSWER(vkBindBufferMemory, done),
    ANSWER(vkBeginCommandBuffer, done),
    ANSWER(vkEndCommandBuffer, done),
    ANSWER(vkQueueSubmit, done),
    ANSWER(vkQueueSubmit2, done),
    ANSWER(vkQueueSubmit2KHR, done),
    ANSWER(vkQueueWaitIdle, done),
    ANSWER(vkDeviceWaitIdle, done),
    ANSWER(vkWaitForFences, done),
    ANSWER(vkGetFenceStatus, done),
    ANSWER(vkResetFences, done),
};

static PFN_vkVoidFunction own_answer(const char *name) {
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
    if (!strcmp(name, answers[i].name)) return answers[i].function;
  return !strncmp(name, "vkCmd", 5) ? (PFN_vkVoidFunction)nothing : NULL;
}

// --- how the loader and layers find each other ---

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *allocator,
    VkInstance *made) {
  VkLayerInstanceCreateInfo *link = (VkLayerInstanceCreateInfo *)info->pNext;
  while (link && !(link->sType == VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO && link->function == VK_LAYER_LINK_INFO))
    link = (VkLayerInstanceCreateInfo *)link->pNext;
  if (!link) return VK_ERROR_INITIALIZATION_FAILED;
  instance_next = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;
  VkResult result = ((PFN_vkCreateInstance)instance_next(NULL, "vkCreateInstance"))(info, allocator, made);
  instance = *made;
  return result;
}

// Takes back what asks for checks of each access to a buffer.
static void without_checks(VkDeviceCreateInfo *info) {
  if (info->pEnabledFeatures) ((VkPhysicalDeviceFeatures *)info->pEnabledFeatures)->robustBufferAccess = VK_FALSE;
  for (VkBaseOutStructure *next = (VkBaseOutStructure *)info->pNext; next; next = next->pNext) {
    if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2)
      ((VkPhysicalDeviceFeatures2 *)next)->features.robustBufferAccess = VK_FALSE;
    if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT) {
      VkPhysicalDeviceRobustness2FeaturesEXT *robustness = (VkPhysicalDeviceRobustness2FeaturesEXT *)next;
      robustness->robustBufferAccess2 = robustness->nullDescriptor = VK_FALSE;
    }
  }
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
    const VkAllocationCallbacks *allocator, VkDevice *device) {
  VkLayerDeviceCreateInfo *link = (VkLayerDeviceCreateInfo *)info->pNext;
  while (link && !(link->sType == VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO && link->function == VK_LAYER_LINK_INFO))
    link = (VkLayerDeviceCreateInfo *)link->pNext;
  if (!link) return VK_ERROR_INITIALIZATION_FAILED;
  PFN_vkGetInstanceProcAddr next = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
  device_next = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;
  const uint32_t given = info->enabledExtensionCount;
  const char **names = calloc(given + 1, sizeof *names);
  for (uint32_t i = 0; i < given; i++) names[i] = info->ppEnabledExtensionNames[i];
  names[given] = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR feature = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR, (void *)info->pNext, VK_TRUE};
  VkDeviceCreateInfo more = *info;
  more.pNext = &feature;
  more.enabledExtensionCount = given + 1;
  more.ppEnabledExtensionNames = names;
  const char *checks = getenv("PIPELINE_CHECKS");
  if (checks && !strcmp(checks, "0")) without_checks(&more);
  VkResult result = ((PFN_vkCreateDevice)next(instance, "vkCreateDevice"))(physical, &more, allocator, device);
  free(names);
  return result;
}

VK_LAYER_EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetDeviceProcAddr(VkDevice device, const char *name) {
  if (!strcmp(name, "vkGetDeviceProcAddr")) return (PFN_vkVoidFunction)vkGetDeviceProcAddr;
  PFN_vkVoidFunction next = device_next(device, name);
  PFN_vkVoidFunction own = own_answer(name);
  return next && own ? own : next; // nothing that the driver does not have
}

VK_LAYER_EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance of, const char *name) {
  if (!strcmp(name, "vkCreateInstance")) return (PFN_vkVoidFunction)create_instance;
  if (!strcmp(name, "vkCreateDevice")) return (PFN_vkVoidFunction)create_device;
  if (!strcmp(name, "vkGetDeviceProcAddr")) return (PFN_vkVoidFunction)vkGetDeviceProcAddr;
  PFN_vkVoidFunction own = own_answer(name);
  return own ? own : instance_next ? instance_next(of, name) : NULL;
}

VK_LAYER_EXPORT VKAPI_ATTR VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *version) {
  version->loaderLayerInterfaceVersion = 2;
  version->pfnGetInstanceProcAddr = vkGetInstanceProcAddr;
  version->pfnGetDeviceProcAddr = vkGetDeviceProcAddr;
  version->pfnGetPhysicalDeviceProcAddr = NULL;
  return VK_SUCCESS;
}
