// What drm.c knows of the GPU that it pretends to be, and what it does for each kernel driver.
#include <stdint.h>

struct gpu {
  char driver[16]; // by the kernel's name for it, as "i915"
  unsigned vendor, device; // of PCI
  unsigned of[6]; // what the driver is asked of the GPU, in units of its own
};

extern struct gpu gpu;

// Pages of memory for a buffer: its number, or 0 where there is no room. The driver maps it at buffer_offset.
uint32_t new_buffer(uint64_t bytes);
uint64_t buffer_offset(uint32_t buffer);

// Answers a request of a driver's own, counted from DRM_COMMAND_BASE: 0, or what errno is to be.
int answer_i915(unsigned request, void *argument);
int answer_nouveau(unsigned request, void *argument);
