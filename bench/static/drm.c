// A GPU that is not there, for Mesa's Vulkan drivers to compile for. Preloaded, this library stands before libdrm, lists one GPU where libdrm
// lists those of the machine, and answers what is asked of its kernel driver; nothing runs. The GPU's device file is one in memory, with room
// for all buffers side by side, so that it is opened, duplicated and mapped as any file is, and nothing but requests has to be caught.
// PRETENDED_GPU names the GPU: its kernel driver, vendor, device (hexadecimal) and numbers that the driver is asked for.
#define _GNU_SOURCE
#include "drm.h"
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// --- libdrm's list of devices, by the structures of its xf86drm.h ---

struct drm_pci_bus {
  uint16_t domain;
  uint8_t bus, device, function;
};

struct drm_pci_device {
  uint16_t vendor, device, subvendor, subdevice;
  uint8_t revision;
};

struct drm_device {
  char **nodes; // files: primary, control, render
  int available_nodes; // bits of those
  int bus_type; // 0: PCI
  struct drm_pci_bus *bus;
  struct drm_pci_device *info;
};

enum { RENDER_NODE = 2 };

struct gpu gpu;

struct driver {
  const char *name;
  int major, minor; // of its interface
  int (*answer)(unsigned request, void *argument);
};

static const struct driver drivers[] = {{"i915", 1, 6, answer_i915}, {"nouveau", 1, 4, answer_nouveau}};
static const struct driver *driver;

static int memory = -1; // the device file
static struct stat memory_identity;
static char render_node[64], no_node[] = "";
static char *nodes[] = {no_node, no_node, render_node};
static struct drm_pci_bus bus = {.device = 2};
static struct drm_pci_device info;
static struct drm_device device = {nodes, 1 << RENDER_NODE, 0, &bus, &info};

static const uint64_t ROOM = 1ull << 40; // bytes; a page exists once something is written to it

// A process that this one starts does not have it.
__attribute__((constructor)) static void stay_here(void) { unsetenv("LD_PRELOAD"); }

// Opens the device file once. Whether there is a GPU.
static int find_gpu(void) {
  static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
  const char *text = getenv("PRETENDED_GPU");
  struct gpu read = {0};
  if (!text || sscanf(text, "%15s %x %x %u %u %u %u %u %u", read.driver, &read.vendor, &read.device, &read.of[0], &read.of[1],
                   &read.of[2], &read.of[3], &read.of[4], &read.of[5]) < 3)
    return 0;
  pthread_mutex_lock(&one_at_a_time);
  gpu = read;
  driver = NULL;
  for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
    if (!strcmp(drivers[i].name, read.driver)) driver = &drivers[i];
  info = (struct drm_pci_device){.vendor = read.vendor, .device = read.device};
  if (memory < 0) {
    memory = memfd_create("GPU", MFD_CLOEXEC);
    if (memory >= 0 && !ftruncate(memory, ROOM) && !fstat(memory, &memory_identity))
      snprintf(render_node, sizeof render_node, "/proc/self/fd/%d", memory);
  }
  pthread_mutex_unlock(&one_at_a_time);
  return driver && *render_node;
}

static int is_device(int fd) {
  struct stat identity;
  return driver && *render_node && !fstat(fd, &identity) && identity.st_dev == memory_identity.st_dev && identity.st_ino == memory_identity.st_ino;
}

int drmGetDevices2(uint32_t flags, struct drm_device *devices[], int room) {
  (void)flags;
  int count = find_gpu();
  if (count && devices && room > 0) devices[0] = &device;
  return count;
}

int drmGetDevice2(int fd, uint32_t flags, struct drm_device **found) {
  (void)flags;
  if (!is_device(fd)) return -ENODEV;
  *found = &device;
  return 0;
}

int drmGetDeviceFromDevId(dev_t id, uint32_t flags, struct drm_device **found) {
  (void)flags;
  if (!*render_node || id != memory_identity.st_rdev) return -ENODEV;
  *found = &device;
  return 0;
}

void drmFreeDevice(struct drm_device **found) { *found = NULL; }
void drmFreeDevices(struct drm_device *devices[], int count) { (void)devices, (void)count; }

// --- buffers ---

static const unsigned PAGE = 4096;

uint32_t new_buffer(uint64_t bytes) {
  static atomic_ullong next = 16; // page; to 16 of them the kernel aligns buffers on a card
  const uint64_t pages = (bytes / PAGE + 16) / 16 * 16, page = atomic_fetch_add(&next, pages);
  return (page + pages) * PAGE <= ROOM ? page : 0;
}

uint64_t buffer_offset(uint32_t buffer) { return (uint64_t)buffer * PAGE; }

// --- requests that every driver of the kernel has, by drm.h ---

struct drm_text {
  size_t length; // in: room; out: characters, without an end
  char *text;
};

struct drm_version {
  int major, minor, patch;
  struct drm_text name, date, description;
};

static void write_text(struct drm_text *into, const char *text) {
  const size_t length = strlen(text);
  if (into->text) memcpy(into->text, text, into->length < length ? into->length : length);
  into->length = length;
}

static int answer_version(struct drm_version *version) {
  version->major = driver->major;
  version->minor = driver->minor;
  version->patch = 0;
  write_text(&version->name, driver->name);
  write_text(&version->date, "0");
  write_text(&version->description, "a GPU that is not there");
  return 0;
}

struct drm_capability {
  uint64_t which, value;
};

static int answer_capability(struct drm_capability *capability) {
  enum { PRIME = 0x5, SYNCOBJ = 0x13, SYNCOBJ_TIMELINE = 0x14 };
  const uint64_t which = capability->which;
  capability->value = which == PRIME || which == SYNCOBJ || which == SYNCOBJ_TIMELINE;
  return 0;
}

// What waits for a GPU that has nothing to do is done at once: all that synchronises are one, which is signalled.
static int answer_any(unsigned request, void *argument) {
  enum { VERSION = 0x00, GEM_CLOSE = 0x09, GET_CAP = 0x0c, SYNCOBJ_CREATE = 0xbf, SYNCOBJ_DESTROY, SYNCOBJ_WAIT = 0xc3, SYNCOBJ_RESET };
  enum { SYNCOBJ_SIGNAL = 0xc5, SYNCOBJ_TIMELINE_WAIT = 0xca, SYNCOBJ_TIMELINE_SIGNAL = 0xcd };
  switch (request) {
    case VERSION: return answer_version(argument);
    case GET_CAP: return answer_capability(argument);
    case SYNCOBJ_CREATE: *(uint32_t *)argument = 1; return 0;
    case GEM_CLOSE:
    case SYNCOBJ_DESTROY:
    case SYNCOBJ_WAIT:
    case SYNCOBJ_RESET:
    case SYNCOBJ_SIGNAL:
    case SYNCOBJ_TIMELINE_WAIT:
    case SYNCOBJ_TIMELINE_SIGNAL: return 0;
    default: return EINVAL;
  }
}

static int answer(unsigned request, void *argument) {
  enum { COMMAND_BASE = 0x40, COMMAND_END = 0xa0 }; // a driver's own
  if (request < COMMAND_BASE || request >= COMMAND_END) return answer_any(request, argument);
  return driver->answer(request - COMMAND_BASE, argument);
}

int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  if (_IOC_TYPE(request) != 'd' || !is_device(fd)) return syscall(SYS_ioctl, fd, request, argument);
  const int error = answer(_IOC_NR(request), argument);
  if (error) errno = error;
  return error ? -1 : 0;
}
