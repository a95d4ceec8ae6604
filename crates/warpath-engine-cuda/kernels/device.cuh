// What differs between CUDA's compilers, and names for what the device does in one instruction.
#pragma once

#define DEVICE static __device__ __forceinline__
#define OUTLINE static __device__ __noinline__
#define METHOD __device__ __forceinline__
#ifndef SHARED
#define SHARED __shared__
#endif
#ifdef __CUDACC_RTC__
// NVRTC 12.0 knows offsetof under this name alone.
#define __builtin_offsetof(type, member) __INTADDR__(&((type*)0)->member)
#endif

#if __CUDA_ARCH__ >= 800
// How long the second-level cache is to keep what is loaded: a batch's text passes once, what every warp asks for stays.
DEVICE unsigned long long keep_short() {
    unsigned long long policy;
    asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
    return policy;
}
DEVICE unsigned long long keep_long() {
    unsigned long long policy;
    asm("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(policy));
    return policy;
}
#endif

// Brings the sector of this address to the first-level cache.
DEVICE void prefetch(unsigned long long at) {
#ifdef __CUDA_ARCH__
    asm volatile("prefetch.global.L1 [%0];" ::"l"(at));
#else
    (void)at;
#endif
}

DEVICE unsigned funnel_right(unsigned lo, unsigned hi, unsigned shift) { return __funnelshift_r(lo, hi, shift); }
DEVICE unsigned multiply_high(unsigned a, unsigned b) { return __umulhi(a, b); }
DEVICE unsigned population(unsigned bits) { return __popc(bits); }
DEVICE unsigned population64(unsigned long long bits) { return __popcll(bits); }
DEVICE unsigned lowest_bit64(unsigned long long bits) { return __ffsll(bits) - 1; }
DEVICE unsigned count_leading_zeros64(unsigned long long bits) { return __clzll(bits); }
